/*
 * GNOME's settings: one run of gsettings for each question. The schema's own value is what gsettings says with a backend that holds nothing.
 */
#include "apps/gsettings.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#define ANSWER_MOST 65536

/* In the child: never returns. */
static void become(char *const argv[], bool fallback, int out)
{
    int nothing = open("/dev/null", O_RDWR);
    dup2(nothing, STDIN_FILENO);
    dup2(out, STDOUT_FILENO);
    dup2(nothing, STDERR_FILENO);
    if (fallback)
        setenv("GSETTINGS_BACKEND", "memory", 1);
    execvp(argv[0], argv);
    _exit(127);
}

static bool run(char *const argv[], bool fallback, struct buf *said, struct err *e)
{
    int ends[2], status = -1;
    if (pipe2(ends, O_CLOEXEC) != 0)
        return err_errno(e, ERR_SYSTEM, errno, "gsettings cannot be run");
    pid_t pid = fork();
    if (pid == 0)
        become(argv, fallback, ends[1]);
    close(ends[1]);
    char part[4096];
    ssize_t n;
    while (pid > 0 && ((n = read(ends[0], part, sizeof part)) > 0 || (n < 0 && errno == EINTR)))
        if (n > 0 && said->n + (size_t)n < ANSWER_MOST)
            buf_add(said, part, (size_t)n);
    close(ends[0]);
    while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    if (pid > 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return true;
    return err_set(e, ERR_SYSTEM,
                   WIFEXITED(status) && WEXITSTATUS(status) == 127
                       ? "gsettings is not installed (package libglib2.0-bin)"
                       : "gsettings failed: is this a desktop session, with org.gnome.system.proxy (package "
                         "gsettings-desktop-schemas)?");
}

static bool ask(const char *verb, const char *key, const char *value, bool fallback, struct buf *said,
                struct err *e)
{
    struct span name = span_str(key);
    size_t space = span_find(name, ' ');
    char *schema = span_dup(span_head(name, space)), *own = span_dup(span_from(name, space + 1));
    char *words[] = {"gsettings", mem_strdup(verb), schema, own, value ? mem_strdup(value) : NULL, NULL};
    bool ok = run(words, fallback, said, e);
    for (size_t i = 1; i < sizeof words / sizeof *words; i++)
        free(words[i]);
    return ok;
}

bool gsettings_get(const char *key, bool fallback, struct buf *value, struct err *e)
{
    if (!ask("get", key, NULL, fallback, value, e))
        return false;
    while (value->n && value->p[value->n - 1] == '\n')
        value->n--;
    return true;
}

bool gsettings_set(const char *key, const char *value, struct err *e)
{
    struct buf said = {0}, now = {0};
    bool ok = ask(value ? "set" : "reset", key, value, false, &said, e) && gsettings_get(key, false, &now, e);
    if (ok && value && !span_eq(buf_span(&now), span_str(value)))
        ok = err_set(e, ERR_SYSTEM, "%s stayed what it was: a policy of this machine may hold it", key);
    buf_free(&said);
    buf_free(&now);
    return ok;
}
