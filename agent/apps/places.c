/*
 * Where programs and their files are: the little language of the table's paths.
 */
#include "apps/places.h"

#include <glob.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config/paths.h"

struct alternative {
    struct span text; /* without its mark */
    char mark;        /* 0: none */
    bool variable;
};

static struct alternative read_alternative(struct span *rest)
{
    struct alternative a = {.text = span_cut(rest, '|')};
    if (a.text.n && strchr("+?!", a.text.p[0])) {
        a.mark = a.text.p[0];
        a.text = span_from(a.text, 1);
    }
    a.variable = span_starts(a.text, SPAN("$"));
    return a;
}

/* false: the variable is not set. */
static bool expand(struct span text, const char *root, struct buf *out)
{
    struct span rest = span_from(text, span_find(text, '/'));
    if (span_starts(text, SPAN("$"))) {
        char *name = span_dup(span_from(span_head(text, span_find(text, '/')), 1));
        const char *value = getenv(name);
        bool set = value && value[0] == '/' && buf_addf(out, "%s%.*s", value, SPAN_ARG(rest));
        free(name);
        return set;
    }
    if (!span_starts(text, SPAN("~")))
        return buf_addf(out, "%s%.*s", root ? root : "", SPAN_ARG(text));
    const char *config = getenv("XDG_CONFIG_HOME");
    bool in_config = span_starts(text, SPAN("~config"));
    if (in_config && config && config[0] == '/')
        return buf_addf(out, "%s%.*s", config, SPAN_ARG(rest));
    char *home = config_home_dir(NULL);
    bool ok = home && buf_addf(out, "%s%s%.*s", home, in_config ? "/.config" : "", SPAN_ARG(rest));
    free(home);
    return ok;
}

static void add(struct places *p, const char *path)
{
    p->at = mem_grow(p->at, (p->n + 1) * sizeof *p->at);
    p->at[p->n++] = mem_strdup(path);
}

static bool is_there(const char *path)
{
    struct stat st;
    return lstat(path, &st) == 0;
}

static bool folder_is_there(const char *path)
{
    char *folder = span_dup(span_head(span_str(path), span_rfind(span_str(path), '/')));
    struct stat st;
    bool there = stat(folder, &st) == 0 && S_ISDIR(st.st_mode);
    free(folder);
    return there;
}

/* Each directory that fits, with the last part behind it; one file under two names counts once. */
static void add_glob(struct places *p, const char *pattern, char mark)
{
    struct span all = span_str(pattern);
    size_t slash = span_rfind(all, '/');
    char *folder = span_dup(span_head(all, slash));
    glob_t found;
    if (glob(folder, GLOB_ONLYDIR, NULL, &found) == 0) {
        for (size_t i = 0; i < found.gl_pathc; i++) {
            struct buf path = {0};
            buf_addf(&path, "%s%s", found.gl_pathv[i], pattern + slash);
            char *real = realpath(buf_cstr(&path), NULL);
            bool known = false;
            for (size_t j = 0; real && j < p->n; j++) {
                char *other = realpath(p->at[j], NULL);
                known = known || (other && strcmp(real, other) == 0);
                free(other);
            }
            if (!known && (real || mark != '!'))
                add(p, buf_cstr(&path));
            free(real);
            buf_free(&path);
        }
        globfree(&found);
    }
    free(folder);
}

void places_find(struct places *p, const char *paths, const char *root)
{
    bool by_variable = false, found = false, starred = false;
    struct buf fallback = {0};
    bool marked = false;
    *p = (struct places){0};
    for (struct span rest = span_str(paths); rest.n && !found;) {
        struct alternative a = read_alternative(&rest);
        struct buf path = {0};
        if ((by_variable && !a.variable) || !expand(a.text, root, &path)) {
            buf_free(&path);
            continue;
        }
        by_variable = by_variable || (a.variable && a.mark != '!');
        const char *name = buf_cstr(&path);
        if (strchr(name, '*')) {
            add_glob(p, name, a.mark);
            starred = true;
        } else if (is_there(name)) {
            add(p, name);
            found = true;
        } else if (a.mark == '?' ? folder_is_there(name)
                                 : a.mark != '!' && (!fallback.n || (a.mark == '+' && !marked))) {
            marked = marked || a.mark == '+';
            buf_clear(&fallback);
            buf_add_str(&fallback, name);
        }
        buf_free(&path);
    }
    if (!found && !starred && fallback.n)
        add(p, buf_cstr(&fallback));
    buf_free(&fallback);
}

void places_free(struct places *p)
{
    for (size_t i = 0; i < p->n; i++)
        free(p->at[i]);
    free(p->at);
    *p = (struct places){0};
}

static bool command_is_there(struct span name, const char *root)
{
    struct buf all = {0};
    const char *path = getenv("PATH");
    buf_addf(&all, "%s:/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin:/snap/bin",
             path && !(root && *root) ? path : "/usr/bin");
    bool there = false;
    for (struct span rest = buf_span(&all); rest.n && !there;) {
        struct span folder = span_cut(&rest, ':');
        struct buf file = {0};
        struct stat st;
        buf_addf(&file, "%s%.*s/%.*s", root ? root : "", SPAN_ARG(folder), SPAN_ARG(name));
        there = folder.n && folder.p[0] == '/' && stat(buf_cstr(&file), &st) == 0 && S_ISREG(st.st_mode) &&
                (st.st_mode & 0111);
        buf_free(&file);
    }
    buf_free(&all);
    return there;
}

static bool path_is_there(struct span text, const char *root)
{
    struct buf path = {0};
    glob_t found;
    bool there = expand(text, root, &path) && glob(buf_cstr(&path), 0, NULL, &found) == 0;
    if (there)
        globfree(&found);
    buf_free(&path);
    return there;
}

bool places_any(const char *find, const char *root)
{
    bool there = false;
    for (struct span rest = span_str(find); rest.n && !there;) {
        struct span one = span_cut(&rest, '|');
        there = span_find(one, '/') < one.n || span_starts(one, SPAN("~")) ? path_is_there(one, root)
                                                                           : command_is_there(one, root);
    }
    return there;
}

bool places_home_is_foreign(void)
{
    struct stat st;
    char *home = config_home_dir(NULL);
    bool foreign = home && stat(home, &st) == 0 && st.st_uid != geteuid();
    free(home);
    return foreign;
}
