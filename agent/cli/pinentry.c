/*
 * The Assuan protocol as far as pinentry needs it: a line there, and lines back until OK or ERR; D brings the secret. Texts are escaped by percent. What comes
 * is read through one buffer that is wiped, byte by byte into the secret. The program is not looked for on PATH: it is given the password.
 */
#include "cli/pinentry.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "cli/ask_secret.h"

extern char **environ;

#define TEXT_MOST ((size_t)4 << 10) /* bytes of an error's text */
#define LINE_MOST                                                                                            \
    ((size_t)990) /* bytes of a line to pinentry, which ends at one of more than 1000 (libassuan) */

struct talk {
    pid_t pid;
    int fd;
    char bytes[1024];
    size_t n, at;
};

enum reply { REPLY_OK, REPLY_ERR, REPLY_BROKEN };

static const char *program(void)
{
    static const char *const places[] = {"/usr/bin/pinentry", "/usr/local/bin/pinentry",
                                         "/usr/bin/pinentry-gnome3", "/usr/bin/pinentry-qt",
                                         "/usr/bin/pinentry-gtk-2"};
    const char *named = getenv("EXEAT_PINENTRY");
    if (named && *named)
        return named;
    for (size_t i = 0; i < sizeof places / sizeof *places; i++)
        if (access(places[i], X_OK) == 0)
            return places[i];
    return NULL;
}

static bool is_set(const char *variable)
{
    const char *value = getenv(variable);
    return value && *value;
}

bool pinentry_can_ask(void)
{
    return is_set("EXEAT_PINENTRY") || ((is_set("DISPLAY") || is_set("WAYLAND_DISPLAY")) && program());
}

/* --- the program --- */

static bool start(struct talk *t, struct err *e)
{
    const char *path = program();
    int ends[2];
    t->n = t->at = 0;
    if (!path)
        return err_set(e, ERR_SYSTEM,
                       "there is no pinentry to ask with: install a package like "
                       "pinentry-gnome3 or pinentry-qt, or type \"exeat login\" in a terminal");
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
        return err_errno(e, ERR_SYSTEM, errno, "cannot make a socket");
    posix_spawn_file_actions_t files;
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_adddup2(&files, ends[1], STDIN_FILENO);
    posix_spawn_file_actions_adddup2(&files, ends[1], STDOUT_FILENO);
    /* The toolkit's warnings are not for whoever reads what we say. */
    posix_spawn_file_actions_addopen(&files, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
    char *words[] = {(char *)path, NULL};
    int error = posix_spawn(&t->pid, path, &files, NULL, words, environ);
    posix_spawn_file_actions_destroy(&files);
    close(ends[1]);
    t->fd = ends[0];
    if (error == 0)
        return true;
    close(t->fd);
    return err_errno(e, ERR_SYSTEM, error, "cannot start %s", path);
}

static void stop(struct talk *t)
{
    close(t->fd); /* its end */
    while (waitpid(t->pid, NULL, 0) < 0 && errno == EINTR)
        ;
    secret_wipe(t->bytes, sizeof t->bytes);
}

/* -1: there is no more. */
static int next_byte(struct talk *t)
{
    if (t->at == t->n) {
        ssize_t n;
        do
            n = recv(t->fd, t->bytes, sizeof t->bytes, 0);
        while (n < 0 && errno == EINTR);
        if (n <= 0)
            return -1;
        t->n = (size_t)n;
        t->at = 0;
    }
    return (unsigned char)t->bytes[t->at++];
}

static int hex(int c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
                                  : -1;
}

/* The rest of a D line, unescaped. false: it broke off, or is too long. */
static bool take_data(struct talk *t, struct secret *out)
{
    char chunk[256];
    size_t n = 0, all = 0;
    int c;
    while ((c = next_byte(t)) >= 0 && c != '\n' && all <= SECRET_LONGEST) {
        if (c == '%') {
            int high = hex(next_byte(t)), low = hex(next_byte(t));
            if (high < 0 || low < 0)
                break;
            c = high << 4 | low;
        }
        chunk[n++] = (char)c;
        all++;
        if (n == sizeof chunk) {
            secret_add(out, span_make(chunk, n));
            n = 0;
        }
    }
    secret_add(out, span_make(chunk, n));
    secret_wipe(chunk, sizeof chunk);
    return c == '\n';
}

static bool take_line(struct talk *t, struct buf *out)
{
    int c;
    buf_clear(out);
    while ((c = next_byte(t)) >= 0 && c != '\n') {
        char byte = (char)c;
        if (!buf_add(out, &byte, 1))
            return false;
    }
    return c == '\n';
}

/* Up to OK or ERR. `data` NULL: none is expected. */
static enum reply receive(struct talk *t, struct secret *data, struct buf *text)
{
    for (;;) {
        int first = next_byte(t), second = first == 'D' ? next_byte(t) : 0;
        if (first == 'D' && second == ' ' && data) {
            if (!take_data(t, data))
                return REPLY_BROKEN;
            continue;
        }
        if (first < 0 || first == 'D' || !take_line(t, text))
            return REPLY_BROKEN;
        if (first == 'O')
            return REPLY_OK;
        if (first == 'E')
            return REPLY_ERR;
    }
}

/* Escaped; what does not fit is cut off between characters of UTF-8, and three dots say so. */
static void add_escaped(struct buf *line, struct span text)
{
    size_t character = line->n;
    for (size_t i = 0; i < text.n; i++) {
        unsigned char c = (unsigned char)text.p[i];
        if ((c & 0xc0) != 0x80)
            character = line->n;
        if (c == '%' || c < 0x20 || c == 0x7f)
            buf_addf(line, "%%%02X", c);
        else
            buf_add(line, &text.p[i], 1);
        if (line->n > LINE_MOST) {
            line->n = character;
            buf_add_str(line, "…");
            return;
        }
    }
}

static bool send_line(struct talk *t, const char *command, struct span text)
{
    struct buf line = {0};
    buf_add_str(&line, command);
    add_escaped(&line, text);
    buf_add_str(&line, "\n");
    struct span rest = buf_span(&line);
    while (rest.n) {
        ssize_t n = send(t->fd, rest.p, rest.n, MSG_NOSIGNAL);
        if (n < 0 && errno != EINTR)
            break;
        rest = span_from(rest, n > 0 ? (size_t)n : 0);
    }
    buf_free(&line);
    return rest.n == 0;
}

/* --- a question --- */

/* Where and how to show it, for those that can do without a desktop. One that does not know an option says ERR, and goes on. */
static enum reply send_options(struct talk *t, struct buf *text)
{
    static const struct {
        const char *option;
        const char *variables[3]; /* the first that is set */
    } options[] = {
        {"OPTION ttyname=", {"GPG_TTY"}},
        {"OPTION ttytype=", {"TERM"}},
        {"OPTION display=", {"DISPLAY"}},
        {"OPTION lc-ctype=", {"LC_ALL", "LC_CTYPE", "LANG"}},
        {"OPTION lc-messages=", {"LC_ALL", "LC_MESSAGES", "LANG"}},
    };
    for (size_t i = 0; i < sizeof options / sizeof *options; i++) {
        const char *value = NULL;
        for (size_t k = 0; k < 3 && !value && options[i].variables[k]; k++)
            value = is_set(options[i].variables[k]) ? getenv(options[i].variables[k]) : NULL;
        if (value &&
            (!send_line(t, options[i].option, span_str(value)) || receive(t, NULL, text) == REPLY_BROKEN))
            return REPLY_BROKEN;
    }
    return REPLY_OK;
}

static bool failed(enum reply reply, struct buf *text, struct err *e)
{
    if (reply == REPLY_BROKEN)
        return err_set(e, ERR_SYSTEM, "pinentry ended without an answer");
    /* "RR 83886179 Operation cancelled <Pinentry>": the code's low half says which error (libgpg-error). */
    const char *space = strchr(buf_cstr(text), ' ');
    unsigned long code = space ? strtoul(space, NULL, 10) & 0xffff : 0;
    enum { CANCELED = 99, NOT_CONFIRMED = 114 };
    if (code == CANCELED || code == NOT_CONFIRMED)
        return err_set(e, ERR_SYSTEM, "cancelled: nothing was changed");
    const char *reason = space ? strchr(space + 1, ' ') : NULL;
    return err_set(e, ERR_SYSTEM,
                   "pinentry cannot ask (%s): use a terminal, or install a package like pinentry-gnome3 or "
                   "pinentry-qt",
                   reason ? reason + 1 : "no reason given");
}

static bool converse(struct talk *t, struct span question, const char *button, const char *command,
                     struct secret *data, struct err *e)
{
    const struct {
        const char *command;
        struct span text;
    } lines[] = {{"SETTITLE ", SPAN("exeat")},
                 {"SETDESC ", question},
                 {"SETPROMPT ", SPAN("Password:")},
                 {"SETOK ", span_str(button)},
                 {command, SPAN("")}};
    struct buf text;
    buf_init(&text, TEXT_MOST);
    enum reply reply = receive(t, NULL, &text);
    if (reply == REPLY_OK)
        reply = send_options(t, &text);
    for (size_t i = 0; reply == REPLY_OK && i < sizeof lines / sizeof *lines; i++)
        reply = send_line(t, lines[i].command, lines[i].text) ? receive(t, data, &text) : REPLY_BROKEN;
    bool good = reply == REPLY_OK || failed(reply, &text, e);
    if (good)
        send_line(t, "BYE", SPAN(""));
    buf_free(&text);
    return good;
}

static bool ask(struct span question, const char *button, const char *command, struct secret *data,
                struct err *e)
{
    struct talk t;
    if (!start(&t, e))
        return false;
    bool good = converse(&t, question, button, command, data, e);
    stop(&t);
    return good;
}

bool pinentry_secret(struct span question, struct secret *out, struct err *e)
{
    bool good = ask(question, "OK", "GETPIN", out, e);
    struct span got = good && secret_present(out) ? secret_reveal(out) : SPAN("");
    if (good && got.n == 0)
        good = err_set(e, ERR_LIMIT, "the password is empty: nothing was changed");
    if (good && got.n > SECRET_LONGEST)
        good = err_set(e, ERR_LIMIT, "the password is longer than %zu bytes", SECRET_LONGEST);
    if (good && memchr(got.p, '\0', got.n))
        good = err_set(e, ERR_LIMIT,
                       "the password has a NUL byte in it, which no proxy takes: nothing was changed");
    if (!good)
        secret_free(out);
    return good;
}

bool pinentry_confirm(struct span question, const char *yes, struct err *e)
{
    return ask(question, yes, "CONFIRM", NULL, e);
}
