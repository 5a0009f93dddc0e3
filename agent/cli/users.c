/*
 * exeat users: keeps the file of a gateway's users. The password goes from the person to the keyholder's program by a pipe, and comes back as hashes; the file
 * has nothing else in it.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/secret.h"
#include "base/write_all.h"
#include "cli/ask_secret.h"
#include "cli/pinentry.h"
#include "cli/say.h"
#include "cli/users_file.h"
#include "cli/users_place.h"
#include "cli/verb.h"
#include "helpers/program.h"

#define LINES_MOST ((size_t)64 << 10) /* of hashes, from our own program */

extern char **environ;

static bool is_name(struct span name)
{
    for (size_t i = 0; i < name.n; i++)
        if ((unsigned char)name.p[i] < 0x20 || name.p[i] == 0x7f || name.p[i] == ':')
            return false;
    return name.n > 0 && name.n <= 255 && name.p[0] != '#' && span_trim(name).n == name.n;
}

/* Twice: nobody sees what is typed. */
static bool ask(const struct verb_call *call, const char *user, struct secret *secret, struct err *e)
{
    struct buf prompt = {0};
    struct secret again = {0};
    if (verb_given(call, "stdin"))
        return secret_from_stdin(secret, e);
    buf_addf(&prompt, "Password of %s for the gateway: ", user);
    bool window = verb_given(call, "pinentry") || (!there_is_a_terminal() && pinentry_can_ask());
    bool (*take)(struct span, struct secret *, struct err *) =
        window ? pinentry_secret : secret_from_terminal;
    bool good = take(buf_span(&prompt), secret, e) && take(SPAN("The same again: "), &again, e);
    if (good && !secret_eq(secret, &again))
        good = err_set(e, ERR_USAGE, "the two are not the same: nothing was changed");
    secret_free(&again);
    buf_free(&prompt);
    return good;
}

static pid_t start(const char *program, int in, int out)
{
    char *const arguments[] = {"exeat-keys", "--hash-user", NULL};
    posix_spawn_file_actions_t actions;
    pid_t pid = -1;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, in, STDIN_FILENO);
    posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO);
    if (posix_spawn(&pid, program, &actions, NULL, arguments, environ) != 0)
        pid = -1;
    posix_spawn_file_actions_destroy(&actions);
    return pid;
}

/* The lines for this user. What the program has to say of a failure it has said itself. */
static bool make_lines(const char *user, const char *realm, const struct secret *password,
                       struct secret *lines, struct err *e)
{
    char program[4096];
    int in[2] = {-1, -1}, out[2] = {-1, -1}, status = -1;
    struct secret message = {0};
    if (!program_find("exeat-keys", program, sizeof program))
        return err_set(e, ERR_SYSTEM, "exeat-keys is not installed beside exeat: it makes the hashes");
    if (pipe2(in, O_CLOEXEC) < 0 || pipe2(out, O_CLOEXEC) < 0)
        return err_errno(e, ERR_SYSTEM, errno, "cannot make a pipe");
    pid_t pid = start(program, in[0], out[1]);
    close(in[0]);
    close(out[1]);
    secret_set(&message, span_str(user));
    secret_add(&message, SPAN("\n"));
    secret_add(&message, span_str(realm));
    secret_add(&message, SPAN("\n"));
    secret_add(&message, secret_reveal(password));
    secret_add(&message, SPAN("\n"));
    bool sent = pid > 0 && write_all(in[1], secret_reveal(&message));
    secret_free(&message);
    close(in[1]);
    sent = sent && secret_read(lines, out[0], LINES_MOST);
    close(out[0]);
    while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    return (sent && status == 0 && lines->length > 0) ||
           err_set(e, ERR_SYSTEM, "the password could not be hashed: nothing was changed");
}

static void tell(const struct users_place *p, const struct users_file *f, const char *user, bool known)
{
    printf(known ? "%s has a new password in %s.\n" : "%s is added to %s.\n", user, f->path);
    if (p->guessed)
        printf(
            "Nothing says which realm its gateway has: for Digest the password is good in \"%s\", the realm "
            "of a gateway that names none. --realm REALM says another.\n",
            p->realm);
    if (!f->is_there && f->uid == 0)
        printf(
            "The file belongs to root, who alone may read it. Where exeat runs as another user, let a group "
            "of that user's read it: chgrp GROUP %s && chmod 640 %s\n",
            f->path, f->path);
}

static int add(const struct verb_call *call, const struct users_place *p, const char *user)
{
    struct err e = {0};
    struct secret password = {0}, lines = {0};
    struct users_file f = {.lock = -1};
    bool good = ask(call, user, &password, &e) && make_lines(user, p->realm, &password, &lines, &e) &&
                users_file_open(&f, p->path, true, true, &e);
    secret_free(&password);
    if (good) {
        bool known = users_file_change(&f, span_str(user), span_str(p->realm), secret_reveal(&lines)) > 0;
        good = users_file_write(&f, &e);
        if (good)
            tell(p, &f, user, known);
    }
    users_file_close(&f);
    secret_free(&lines);
    return good ? EXIT_DONE : say_failure(&e);
}

static int take_out(const struct users_place *p, const char *user)
{
    struct err e = {0};
    struct users_file f;
    bool good = users_file_open(&f, p->path, false, true, &e);
    bool there = good && users_file_change(&f, span_str(user), SPAN(""), SPAN("")) > 0;
    if (good && !there)
        good = err_set(&e, ERR_USAGE, "%s has no user \"%s\"", f.path, user);
    good = good && users_file_write(&f, &e);
    if (good)
        printf("%s is taken out of %s.\n", user, f.path);
    users_file_close(&f);
    return good ? EXIT_DONE : say_failure(&e);
}

static void say_line(const struct users_line *line)
{
    say_clean(stdout, line->user);
    fputc('\t', stdout);
    say_clean(stdout, span_str(line->form));
    if (line->realm.n) {
        fputs(" in ", stdout);
        say_clean(stdout, line->realm);
    }
    fputc('\n', stdout);
}

static int list(const struct users_place *p)
{
    struct err e = {0};
    struct users_file f;
    if (!users_file_open(&f, p->path, false, false, &e)) {
        users_file_close(&f);
        return say_failure(&e);
    }
    struct span rest = secret_reveal(&f.text);
    for (unsigned number = 1; rest.n; number++) {
        struct users_line line;
        if (!users_line_read(span_cut(&rest, '\n'), &line))
            continue;
        if (line.form && line.user.n)
            say_line(&line);
        else
            say_warning("%s: line %u has neither the form of htpasswd, nor of htdigest, nor of smbpasswd: "
                        "it lets nobody in",
                        f.path, number);
    }
    if (f.loose)
        say_warning("%s may be read by everybody or written by others than its owner: no gateway takes it "
                    "until you write \"chmod 600 %s\"",
                    f.path, f.path);
    users_file_close(&f);
    return EXIT_DONE;
}

static int run(const struct verb_call *call)
{
    const char *what = call->n_words ? call->words[0] : "list";
    const char *user = call->n_words > 1 ? call->words[1] : NULL;
    bool lists = strcmp(what, "list") == 0, adds = strcmp(what, "add") == 0;
    struct users_place p;
    struct err e = {0};
    if (!lists && !adds && strcmp(what, "remove") != 0)
        return say_error(EXIT_USAGE, "\"%s\" is neither add, remove nor list", what);
    if (lists != !user)
        return say_error(EXIT_USAGE,
                         lists ? "\"%s\" is one word too many: see \"exeat help users\""
                               : "whom? Write \"exeat users %s NAME\"",
                         lists ? user : what);
    if (user && !is_name(span_str(user)))
        return say_error(EXIT_USAGE,
                         "a user's name has no colon and no control characters, and does not begin with #");
    secret_start();
    signal(SIGPIPE, SIG_IGN); /* a pipe whose reader has died is an error of write(2) */
    if (!users_place_find(call, adds, &p, &e)) {
        users_place_free(&p);
        return say_failure(&e);
    }
    if (adds && !is_name(span_str(p.realm))) {
        err_set(&e, ERR_USAGE,
                "\"%s\" cannot be the realm: a line of the file has no place for a colon in it", p.realm);
        users_place_free(&p);
        return say_failure(&e);
    }
    int code = lists ? list(&p) : adds ? add(call, &p, user) : take_out(&p, user);
    users_place_free(&p);
    return code;
}

static const struct verb_option options[] = {
    {"file", 'f', "FILE", "the users' file, if not the configured one"},
    {"gateway", 'g', "NAME", "of which gateway: the NAME of its [gateway NAME]"},
    {"realm", 0, "REALM", "the realm for Digest, if not that of its gateway"},
    {"stdin", 0, NULL, "take the password from the first line that comes in"},
    {"pinentry", 0, NULL, "ask for it in a window of the desktop"},
    {"config", 'c', "FILE", "read FILE instead of the usual place"},
    {0},
};

const struct verb users_verb = {
    .name = "users",
    .arguments = "[add NAME | remove NAME | list]",
    .max_words = 2,
    .summary = "Keep the users of a gateway",
    .help =
        "A gateway lets in the users of a file (users = FILE in [gateway]). This verb adds one or gives them "
        "a "
        "new password, takes one out, or lists them. The file holds hashes only, a line for each way to sign "
        "in "
        "(Basic, Digest, NTLM), in the forms of htpasswd, htdigest and smbpasswd, so that those programs may "
        "keep it too. But the hashes for Digest and NTLM are as good as the password: the file is its "
        "owner's alone. "
        "A running gateway reads it again when it changes.\n"
        "\n"
        "The password is asked for twice; in scripts, pass it on standard input:\n"
        "\n"
        "    exeat users add alice --stdin < file-with-the-password",
    .options = options,
    .run = run,
};
