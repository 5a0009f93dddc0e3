/*
 * Variables and shells, a table each. Both letter cases are set, for neither is read by all: curl reads http_proxy in lower case only, since a CGI
 * program finds the Proxy field of a request, which anybody may send, in HTTP_PROXY; others read only the upper case. all_proxy is left as it is: it is
 * asked for protocols other than HTTP and for SOCKS, which the HTTP listener does not serve.
 */
#include "cli/shell.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define SAVED "EXEAT_ENV_BEFORE"

static const struct variable {
    const char *name, *template;
} variables[] = {
    {"http_proxy", "{url}"}, {"https_proxy", "{url}"}, {"no_proxy", "{no_proxy}"},
    {"HTTP_PROXY", "{url}"}, {"HTTPS_PROXY", "{url}"}, {"NO_PROXY", "{no_proxy}"},
};
#define N_VARIABLES (sizeof variables / sizeof *variables)

struct shell {
    const char *names; /* with spaces around each */
    void (*set)(struct buf *out, const char *name, struct span value);
    const char *unset; /* a format with the name */
};

static void quote(struct buf *out, struct span value, const char *special, const char *const *instead)
{
    for (size_t i = 0; i < value.n; i++) {
        const char *at = strchr(special, value.p[i]);
        if (at && value.p[i])
            buf_add_str(out, instead[at - special]);
        else
            buf_add(out, value.p + i, 1);
    }
}

static void set_sh(struct buf *out, const char *name, struct span value)
{
    buf_addf(out, "export %s='", name);
    quote(out, value, "'", (const char *const[]){"'\\''"});
    buf_add_str(out, "';\n");
}

static void set_fish(struct buf *out, const char *name, struct span value)
{
    buf_addf(out, "set -gx %s '", name);
    quote(out, value, "'\\", (const char *const[]){"\\'", "\\\\"});
    buf_add_str(out, "';\n");
}

/* PowerShell takes the typographic single quotes U+2018 to U+201B for ends of the string, too. */
static void set_powershell(struct buf *out, const char *name, struct span value)
{
    buf_addf(out, "$env:%s = '", name);
    while (value.n) {
        bool wide = value.n > 2 && memcmp(value.p, "\xe2\x80", 2) == 0 && (unsigned char)value.p[2] >= 0x98 &&
                    (unsigned char)value.p[2] <= 0x9b;
        size_t n = wide ? 3 : 1;
        if (wide || value.p[0] == '\'')
            buf_add(out, value.p, n);
        buf_add(out, value.p, n);
        value = span_from(value, n);
    }
    buf_add_str(out, "';\n");
}

static const struct shell shells[] = {
    {" sh bash zsh dash ksh mksh ash busybox ", set_sh, "unset %s;\n"},
    {" fish ", set_fish, "set -e %s;\n"},
    {" pwsh powershell ", set_powershell, "Remove-Item Env:%s -ErrorAction SilentlyContinue;\n"},
};

static const struct shell *find(const char *path)
{
    const char *slash = strrchr(path, '/');
    struct buf word = {0};
    const struct shell *found = NULL;
    buf_addf(&word, " %s ", slash ? slash + 1 : path);
    for (size_t i = 0; !found && i < sizeof shells / sizeof *shells; i++)
        if (strstr(shells[i].names, buf_cstr(&word)))
            found = &shells[i];
    buf_free(&word);
    return found;
}

/* The shell that has started us: a script, or a shell typed into another one, is none of $SHELL's. */
static const struct shell *find_parent(void)
{
    char link[64], path[4096];
    snprintf(link, sizeof link, "/proc/%d/exe", (int)getppid());
    ssize_t n = readlink(link, path, sizeof path - 1);
    path[n > 0 ? n : 0] = '\0';
    return find(path);
}

const struct shell *shell_named(const char *name, struct err *e)
{
    const struct shell *found = name ? NULL : find_parent();
    if (!name)
        name = getenv("SHELL");
    if (!name || !*name)
        name = "sh";
    found = found ? found : find(name);
    if (!found)
        err_set(e, ERR_USAGE,
                "\"%s\" is not a shell whose words exeat knows: say --shell sh (for bash, zsh and their "
                "like), fish or pwsh",
                name);
    return found;
}

/* --- what was there before: "name=value" or "name" for one that was not set, percent-encoded, spaces between --- */

static void encode(struct buf *out, const char *value)
{
    for (const char *c = value; *c; c++) {
        if (isalnum((unsigned char)*c) || strchr("-._~:/@,", *c))
            buf_add(out, c, 1);
        else
            buf_addf(out, "%%%02X", (unsigned char)*c);
    }
}

static bool decode(struct span text, struct buf *out)
{
    for (size_t i = 0; i < text.n; i++) {
        unsigned byte;
        if (text.p[i] != '%') {
            buf_add(out, text.p + i, 1);
        } else if (i + 2 < text.n && isxdigit((unsigned char)text.p[i + 1]) &&
                   isxdigit((unsigned char)text.p[i + 2]) && sscanf(text.p + i + 1, "%2x", &byte) == 1 &&
                   byte) {
            buf_add(out, &(char){(char)byte}, 1);
            i += 2;
        } else {
            return false;
        }
    }
    return true;
}

static void save(struct buf *out)
{
    for (size_t i = 0; i < N_VARIABLES; i++) {
        const char *value = getenv(variables[i].name);
        buf_addf(out, "%s%s%s", i ? " " : "", variables[i].name, value ? "=" : "");
        encode(out, value ? value : "");
    }
}

void shell_set(const struct shell *shell, const struct aim *t, struct buf *out)
{
    struct buf before = {0};
    const char *saved = getenv(SAVED);
    if (saved) /* a second time: what was there before the first */
        buf_add_str(&before, saved);
    else
        save(&before);
    for (size_t i = 0; i < N_VARIABLES; i++) {
        struct buf value = {0};
        aim_expand(t, variables[i].template, &value);
        shell->set(out, variables[i].name, buf_span(&value));
        buf_free(&value);
    }
    shell->set(out, SAVED, buf_span(&before));
    buf_free(&before);
}

static bool is_ours(struct span name)
{
    for (size_t i = 0; i < N_VARIABLES; i++)
        if (span_eq(name, span_str(variables[i].name)))
            return true;
    return false;
}

static void unset(const struct shell *shell, const char *name, struct buf *out)
{
    struct span format = span_str(shell->unset);
    const char *at = strstr(shell->unset, "%s");
    buf_addf(out, "%.*s%s%s", (int)(at - format.p), format.p, name, at + 2);
}

/* The variable comes from the environment, and what we print is evaluated: only our own names, and values in quotes. */
bool shell_undo(const struct shell *shell, struct buf *out)
{
    const char *saved = getenv(SAVED);
    if (!saved)
        return false;
    for (struct span rest = span_str(saved), word; (word = span_word(&rest)).n;) {
        size_t equals = span_find(word, '=');
        struct buf value = {0};
        char *name = span_dup(span_head(word, equals));
        if (is_ours(span_str(name)) && equals == word.n)
            unset(shell, name, out);
        else if (is_ours(span_str(name)) && decode(span_from(word, equals + 1), &value))
            shell->set(out, name, buf_span(&value));
        free(name);
        buf_free(&value);
    }
    unset(shell, SAVED, out);
    return true;
}

void environment_set(const struct aim *t)
{
    for (size_t i = 0; i < N_VARIABLES; i++) {
        struct buf value = {0};
        aim_expand(t, variables[i].template, &value);
        setenv(variables[i].name, buf_cstr(&value), 1);
        buf_free(&value);
    }
}
