/*
 * From files to a configuration. A file and those that it includes stand in one queue and are read one after
 * the other: an include may stand only above the first section of its file, where nothing depends on the
 * order, so no file is ever read in the middle of another. Each source knows the one that included it; that
 * chain tells circles and depth. One thread.
 */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "config/ini.h"
#include "config/kinds.h"
#include "config/paths.h"
#include "config/whole.h"

#define FILE_BYTES_MAX ((size_t)16 << 20)
#define FILES_MAX      64
#define INCLUDE_DEPTH  8
#define NO_PARENT      SIZE_MAX

struct source {
    const char *name; /* lent by the config */
    struct buf text;
    dev_t device; /* which file it is */
    ino_t inode;
    size_t parent; /* the source that includes it */
};

struct loading {
    struct config_whole *w;
    struct source sources[FILES_MAX];
    size_t n;
    bool may_include;
};

/* The section that lines go into at the moment. */
struct place {
    const struct section *section; /* NULL: above the first */
    struct span name;
    void *object;
    struct origins *origins;
};

static bool read_all(int fd, struct buf *out, const char *path, struct err *e)
{
    for (;;) {
        if (!buf_reserve(out, 4096))
            return err_set(e, ERR_CONFIG, "%s is too large for a configuration (over %zu MiB)", path,
                           FILE_BYTES_MAX >> 20);
        ssize_t n = read(fd, out->p + out->n, 4096);
        if (n == 0)
            return true;
        if (n < 0 && errno != EINTR)
            return err_errno(e, ERR_CONFIG, errno, "cannot read %s", path);
        out->n += n > 0 ? (size_t)n : 0;
    }
}

/* Puts a file at the end of the queue. */
static bool add_file(struct loading *l, const char *path, size_t parent, struct err *e)
{
    if (l->n == FILES_MAX)
        return err_set(e, ERR_CONFIG, "more than %d files are included", FILES_MAX);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return err_errno(e, ERR_CONFIG, errno, "cannot read %s", path);
    struct source *s = &l->sources[l->n++];
    struct stat st;
    fstat(fd, &st);
    *s = (struct source){
        .name = whole_place(l->w, path), .device = st.st_dev, .inode = st.st_ino, .parent = parent};
    buf_init(&s->text, FILE_BYTES_MAX);
    bool ok = read_all(fd, &s->text, path, e);
    close(fd);
    if (!ok)
        return false;
    int depth = 0;
    for (size_t up = parent; up != NO_PARENT; up = l->sources[up].parent) {
        if (l->sources[up].device == s->device && l->sources[up].inode == s->inode)
            return err_set(e, ERR_CONFIG, "%s includes itself, by this line", path);
        if (++depth > INCLUDE_DEPTH)
            return err_set(e, ERR_CONFIG, "files include each other more than %d deep", INCLUDE_DEPTH);
    }
    return true;
}

/* include = PATH: absolute, ~/..., or relative to the directory of the file it stands in. */
static bool include(struct loading *l, size_t at, struct span path, struct err *e)
{
    if (!l->may_include)
        return err_set(e, ERR_CONFIG, "include is not possible here");
    if (path.n == 0)
        return err_set(e, ERR_CONFIG, "include needs a path");
    struct buf joined;
    buf_init(&joined, 0);
    if (path.p[0] != '/' && !span_starts(path, SPAN("~/"))) {
        struct span name = span_str(l->sources[at].name);
        size_t slash = span_rfind(name, '/');
        buf_add_span(&joined, span_head(name, slash == name.n ? 0 : slash + 1));
        buf_add_span(&joined, path);
    } else {
        char *absolute = path_absolute(path, e);
        buf_add_str(&joined, absolute ? absolute : "");
        free(absolute);
    }
    bool ok = joined.n > 0 && add_file(l, buf_cstr(&joined), at, e);
    buf_free(&joined);
    return ok;
}

static bool is_section_name(struct span name)
{
    for (size_t i = 0; i < name.n; i++)
        if (!isalnum((unsigned char)name.p[i]) && name.p[i] != '.' && name.p[i] != '-' && name.p[i] != '_')
            return false;
    return true;
}

static bool repeated(const struct section *section, struct span name, struct origin first, struct err *e)
{
    return err_set(e, ERR_CONFIG, "section [%s%s%.*s] stands here again; it began at %s:%u", section->name,
                   name.n ? " " : "", (int)(name.n > 60 ? 60 : name.n), name.n ? name.p : "", first.place,
                   first.line);
}

/* A section header: finds or makes what its lines go into. */
static bool begin_section(struct config_whole *w, struct place *p, const struct ini_line *line,
                          struct origin at, struct err *e)
{
    *p = (struct place){.section = section_find(line->section), .name = line->name};
    if (!p->section)
        return section_unknown(line->section, e);
    if (p->section->named && !p->section->general && line->name.n == 0)
        return err_set(e, ERR_CONFIG, "[%s] needs a name: [%s NAME]", p->section->name, p->section->name);
    if (!p->section->named && line->name.n)
        return err_set(e, ERR_CONFIG, "[%s] has no name", p->section->name);
    if (!is_section_name(line->name))
        return err_set(e, ERR_CONFIG,
                       "the name of a section is made of letters, digits, dots, hyphens and underscores");
    if (!p->section->named) {
        p->object = &w->c;
        p->origins = &w->single[p->section - sections];
        if (p->origins->header.place)
            return repeated(p->section, line->name, p->origins->header, e);
        p->origins->header = at;
        return true;
    }
    size_t i;
    if (named_find(w, p->section, line->name, &i))
        return repeated(p->section, line->name, named_origins(w, p->section, i)->header, e);
    i = named_add(w, p->section, line->name, at);
    p->object = named_object(w, p->section, i);
    p->origins = named_origins(w, p->section, i);
    return true;
}

static bool outside_error(struct span key, struct err *e)
{
    for (size_t i = 0; i < n_settings; i++)
        if (span_eq(key, span_str(settings[i].name)))
            return err_set(e, ERR_CONFIG, "key %s stands above the first section; it belongs in [%s]",
                           shown(key).text, settings[i].section);
    return err_set(e, ERR_CONFIG, "unknown key %s; above the first section only \"include\" may stand",
                   shown(key).text);
}

static bool set(struct place *p, const struct ini_line *line, struct origin at, struct err *e)
{
    const struct setting *s = setting_find(p->section, line->key);
    if (!s)
        return setting_unknown(p->section, p->name, line->key, e);
    struct origin *origin = &p->origins->keys[s - settings];
    if (origin->place && !s->repeats)
        return err_set(e, ERR_CONFIG, "key \"%s\" stands here again; it was set in line %u", s->name,
                       origin->line);
    if (!origin->place)
        *origin = at;
    struct buf text;
    buf_init(&text, 0);
    bool ok = s->kind->list || ini_value(line->value, &text, e);
    ok = ok && s->kind->parse(s, p->object, s->kind->list ? line->value : buf_span(&text), e);
    buf_free(&text);
    if (ok || !e)
        return ok;
    struct err inner = *e;
    return err_set(e, inner.code, "%s: %s", s->name, inner.text);
}

static bool read_pair(struct loading *l, size_t at, struct place *p, const struct ini_line *line,
                      struct origin here, struct err *e)
{
    bool is_include = span_eq(line->key, SPAN("include"));
    if (p->section && is_include)
        return err_set(e, ERR_CONFIG, "include may stand only above the first section");
    if (p->section)
        return set(p, line, here, e);
    if (!is_include)
        return outside_error(line->key, e);
    struct buf path;
    buf_init(&path, 0);
    bool ok = ini_value(line->value, &path, e) && include(l, at, buf_span(&path), e);
    buf_free(&path);
    return ok;
}

static bool read_source(struct loading *l, size_t at, struct err *e)
{
    struct ini ini;
    struct ini_line line;
    struct place place = {0};
    ini_start(&ini, buf_span(&l->sources[at].text));
    for (;;) {
        enum ini_kind kind = ini_next(&ini, &line, e);
        struct origin here = {l->sources[at].name, ini.line};
        bool ok = kind == INI_SECTION ? begin_section(l->w, &place, &line, here, e)
                  : kind == INI_PAIR  ? read_pair(l, at, &place, &line, here, e)
                                      : kind == INI_END;
        if (!ok)
            return origin_blame(here, e);
        if (kind == INI_END)
            return true;
    }
}

static bool read_queue(struct loading *l, struct err *e)
{
    for (size_t i = 0; i < l->n; i++)
        if (!read_source(l, i, e))
            return false;
    return true;
}

static void free_queue(struct loading *l)
{
    for (size_t i = 0; i < l->n; i++)
        buf_free(&l->sources[i].text);
}

bool whole_read_text(struct config_whole *w, const char *name, struct span text, struct err *e)
{
    struct loading l = {.w = w, .n = 1};
    l.sources[0] = (struct source){.name = whole_place(w, name), .parent = NO_PARENT};
    bool ok = buf_add_span(&l.sources[0].text, text)
                  ? read_queue(&l, e)
                  : err_set(e, ERR_CONFIG, "%s is too large for a configuration", name);
    free_queue(&l);
    return ok;
}

bool whole_read_file(struct config_whole *w, const char *path, struct err *e)
{
    struct loading l = {.w = w, .may_include = true};
    bool ok = add_file(&l, path, NO_PARENT, e) && read_queue(&l, e);
    free_queue(&l);
    return ok;
}
