/*
 * exeat import: another relay's settings as an exeat.conf. What it had of passwords goes to the keyring by the way of every login (tried once, stored when
 * it was not refused), never into the file or to the terminal. One thread.
 */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "apps/file.h"
#include "cli/move.h"
#include "cli/new_config.h"
#include "cli/say.h"
#include "cli/verb.h"

static void name_source(struct buf *title, enum move_from from, const char *word)
{
    const char *name = move_name(from);
    if (from == MOVE_CNTLM || from == MOVE_PX)
        buf_addf(title, "the configuration of %s (%s)", name,
                 strcmp(word, "-") == 0 ? "standard input" : word);
    else
        buf_addf(title, from == MOVE_ALPACA ? "the command line of %s" : "%s", name);
}

/* Standard input, for a file that another user alone may read. */
static bool read_input(struct buf *text, struct err *e)
{
    char part[4096];
    ssize_t n;
    buf_init(text, FILE_MOST);
    bool good = true;
    while (good && (n = read(STDIN_FILENO, part, sizeof part)) != 0)
        if (n < 0 && errno != EINTR)
            good = err_errno(e, ERR_SYSTEM, errno, "standard input cannot be read");
        else if (n > 0 && !buf_add(text, part, (size_t)n))
            good = err_set(e, ERR_LIMIT, "standard input is larger than %zu MiB", FILE_MOST >> 20);
    secret_wipe(part, sizeof part);
    return good;
}

static bool read_file(struct file *f, const char *path, struct err *e)
{
    if (strcmp(path, "-") == 0)
        return read_input(&f->text, e);
    if (access(path, R_OK) != 0 && errno == EACCES)
        return err_set(e, ERR_SYSTEM,
                       "%s is not for you to read\nIf you may become root: sudo cat %s | exeat import -",
                       path, path);
    return file_peek(f, path, e) &&
           (f->existed || err_set(e, ERR_USAGE,
                                  "there is no file %s; name cntlm.conf (often /etc/cntlm.conf), px.ini, "
                                  "environment, or a command line in quotes: \"alpaca -C ...\"",
                                  path));
}

static bool take_file(struct draft *d, const char *path, enum move_from *from, struct err *e)
{
    struct file f = {0};
    bool good = read_file(&f, path, e);
    good = good &&
           (move_read_file(d, buf_span(&f.text), from) ||
            err_set(e, ERR_USAGE, "%s is neither a cntlm.conf nor a px.ini: none of its settings is known",
                    strcmp(path, "-") == 0 ? "standard input" : path));
    if (f.text.p)
        secret_wipe(f.text.p, f.text.cap);
    file_free(&f);
    return good;
}

static bool read_source(struct draft *d, const char *word, struct buf *title, struct err *e)
{
    enum move_from from = MOVE_ENVIRONMENT;
    bool good = true;
    if (move_is_flags(span_str(word))) {
        from = MOVE_ALPACA;
        good = move_read_flags(d, span_str(word)) ||
               err_set(e, ERR_USAGE, "a quote in the command line is not closed, or a flag lacks its value");
    } else if (strcmp(word, "environment") == 0) {
        move_read_environment(d);
    } else {
        good = take_file(d, word, &from, e);
    }
    if (good)
        name_source(title, from, word);
    return good;
}

static const char *secret_word(const struct draft *d)
{
    return secret_present(&d->password)  ? "password"
           : secret_present(&d->nt_hash) ? "NT hash of the password"
                                         : NULL;
}

static int show(const struct draft *d, struct span text)
{
    const char *what = secret_word(d);
    say_clean(stdout, text);
    fprintf(stderr, "exeat: nothing was written%s%s%s\n", what ? "; the " : "", what ? what : "",
            what ? " would be tried once and stored in the keyring" : "");
    return EXIT_DONE;
}

/* `elsewhere`: the file that every further word has to name; NULL: it is the usual one. */
static void say_next(const char *what, const char *elsewhere)
{
    struct buf more = {0}, line = {0};
    if (elsewhere)
        buf_addf(&more, " --config %s", elsewhere);
    if (!what)
        buf_addf(&line, "Next: \"exeat login%s\" if the proxy asks for a password, and ", buf_cstr(&more));
    else
        buf_add_str(&line, "Next: ");
    if (!elsewhere && new_config_agent_runs())
        buf_add_str(&line, "\"exeat reload\", for the agent that is running.");
    else
        buf_addf(&line, "\"exeat run%s\".", buf_cstr(&more));
    if (what)
        buf_addf(&line, " The %s still stands where it stood: delete it there.", what);
    buf_add_str(&line, "\n");
    say_clean(stdout, buf_span(&line));
    buf_free(&more);
    buf_free(&line);
}

static int keep_secret(struct draft *d, const char *path, const char *elsewhere, bool wanted)
{
    const char *what = wanted ? secret_word(d) : NULL;
    int code = EXIT_DONE;
    fflush(stdout);
    if (what)
        code =
            new_config_login(path, DRAFT_UPSTREAM, secret_present(&d->password) ? &d->password : &d->nt_hash);
    if (code == EXIT_DONE)
        say_next(what, elsewhere);
    return code;
}

static int write_it(const struct verb_call *call, struct draft *d, struct span text)
{
    struct err e = {0};
    struct buf kept = {0};
    bool wanted = !verb_given(call, "no-secrets"), force = verb_given(call, "force");
    const char *elsewhere = verb_value(call, "output");
    char *path = new_config_path(elsewhere, &e);
    int code = EXIT_FAILED;
    if (path && wanted && secret_word(d) && new_config_agent_runs()) {
        code = say_error(
            EXIT_FAILED,
            "an agent is running, with another configuration: nothing was written\nStop it (exeat stop) and "
            "import again, or leave the password out with --no-secrets.");
    } else if (!path || !new_config_write(path, text, force, &kept, &e)) {
        code = say_failure(&e);
    } else {
        new_config_say(path, buf_span(&kept));
        if (d->notes.n)
            printf("Its first lines name what was not taken over.\n");
        code = keep_secret(d, path, elsewhere, wanted);
    }
    buf_free(&kept);
    free(path);
    return code;
}

static int go_on(const struct verb_call *call, struct draft *d, struct span title)
{
    struct err e = {0};
    struct buf text = {0};
    int code;
    if (verb_given(call, "proxy"))
        move_take_one(d, MOVE_ENVIRONMENT, SPAN("https_proxy"), span_str(verb_value(call, "proxy")));
    bool good = draft_finish(d, title, &text, &e);
    bool dry = verb_given(call, "dry-run");
    if (!draft_has(d, "upstream", "proxy")) {
        say_clean(dry ? stdout : stderr, dry ? buf_span(&text) : buf_span(&d->notes));
        code = say_error(
            EXIT_CONFIG,
            "no proxy is named there; say which with --proxy URL, like http://proxy.corp.example:8080");
    } else if (!good) {
        if (dry)
            say_clean(stdout, buf_span(&text));
        code = say_failure(&e);
    } else {
        code = dry ? show(d, buf_span(&text)) : write_it(call, d, buf_span(&text));
    }
    buf_free(&text);
    return code;
}

static int run(const struct verb_call *call)
{
    struct draft d = {0};
    struct buf title = {0};
    struct err e = {0};
    if (call->n_words == 0)
        return say_error(EXIT_USAGE, "import what? For example: exeat import /etc/cntlm.conf");
    secret_start();
    int code =
        read_source(&d, call->words[0], &title, &e) ? go_on(call, &d, buf_span(&title)) : say_failure(&e);
    draft_free(&d);
    buf_free(&title);
    return code;
}

static const struct verb_option options[] = {
    {"dry-run", 'n', NULL, "show the configuration and write nothing"},
    {"output", 'o', "FILE", "write FILE instead of your own exeat.conf"},
    {"force", 'f', NULL, "replace a file that is there, and keep that beside it"},
    {"proxy", 0, "URL", "the proxy, where none is named there"},
    {"no-secrets", 0, NULL, "leave passwords where they are"},
    {0},
};

const struct verb import_verb = {
    .name = "import",
    .arguments = "FILE|-|environment|FLAGS",
    .max_words = 1,
    .summary = "Make a configuration from that of another relay",
    .help = "Reads cntlm.conf, px.ini (- is standard input), FLAGS (alpaca's command line, in quotes: "
            "\"alpaca -C ...\") or the "
            "variables of "
            "the environment (https_proxy, no_proxy), and "
            "writes an exeat.conf. Its comments say where each setting came from, and name what was not "
            "taken over, with the reason. A "
            "file that is there already is not replaced without --force, and then kept as exeat.conf.old.\n"
            "\n"
            "A password, or cntlm's PassNT, is tried once against the proxy and stored in the keyring when "
            "it was not refused, as \"exeat "
            "login\" does; the file never holds it. PassLM and PassNTLMv2 cannot be used.\n"
            "\n"
            "    exeat import /etc/cntlm.conf --dry-run",
    .options = options,
    .run = run,
};
