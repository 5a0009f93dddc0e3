/*
 * Sections that may stand any number of times, each with a name: where their objects and origins are kept. One row per section; an object's
 * first field is its name. One thread, while the configuration is made; afterwards they are only read.
 */
#include <stddef.h>

#include "base/buf.h"
#include "config/whole.h"

static const struct named {
    const char *section;
    size_t objects, count; /* offsets in struct config: the array, its length */
    size_t origins;        /* offset in struct config_whole */
    size_t size;           /* of one object */
} rows[] = {
    {"upstream", offsetof(struct config, upstreams), offsetof(struct config, n_upstreams),
     offsetof(struct config_whole, each_upstream), sizeof(struct config_upstream)},
    {"forward", offsetof(struct config, forwards), offsetof(struct config, n_forwards),
     offsetof(struct config_whole, each_forward), sizeof(struct config_forward)},
    {"client", offsetof(struct config, clients), offsetof(struct config, n_clients),
     offsetof(struct config_whole, each_client), sizeof(struct config_client)},
    {"gateway", offsetof(struct config, gateways), offsetof(struct config, n_gateways),
     offsetof(struct config_whole, each_gateway), sizeof(struct config_gateway)},
};

static const struct named *row_of(const struct section *section)
{
    const struct named *row = rows;
    while (strcmp(row->section, section->name) != 0)
        row++;
    return row;
}

static char **objects(const struct config_whole *w, const struct named *row)
{
    return (char **)((char *)(uintptr_t)&w->c + row->objects);
}

static struct origins **origins(const struct config_whole *w, const struct named *row)
{
    return (struct origins **)((char *)(uintptr_t)w + row->origins);
}

size_t named_count(const struct config_whole *w, const struct section *section)
{
    return *(const size_t *)((const char *)&w->c + row_of(section)->count);
}

void *named_object(const struct config_whole *w, const struct section *section, size_t i)
{
    const struct named *row = row_of(section);
    return *objects(w, row) + i * row->size;
}

const char *named_name(const struct config_whole *w, const struct section *section, size_t i)
{
    return *(char *const *)named_object(w, section, i);
}

struct origins *named_origins(const struct config_whole *w, const struct section *section, size_t i)
{
    return &(*origins(w, row_of(section)))[i];
}

bool named_find(const struct config_whole *w, const struct section *section, struct span name, size_t *i)
{
    for (*i = 0; *i < named_count(w, section); ++*i)
        if (span_eq(name, span_str(named_name(w, section, *i))))
            return true;
    return false;
}

size_t named_add(struct config_whole *w, const struct section *section, struct span name,
                 struct origin header)
{
    const struct named *row = row_of(section);
    size_t i = named_count(w, section), *count = (size_t *)((char *)&w->c + row->count);
    char **array = objects(w, row);
    struct origins **each = origins(w, row);
    *array = mem_grow(*array, (i + 1) * row->size);
    *each = mem_grow(*each, (i + 1) * sizeof **each);
    memset(*array + i * row->size, 0, row->size);
    (*each)[i] = (struct origins){.header = header};
    *(char **)(*array + i * row->size) = span_dup(name);
    *count = i + 1;
    return i;
}
