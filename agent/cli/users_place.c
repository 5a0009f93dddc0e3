/*
 * A hash for Digest is good in one realm only. So the realm is not taken from thin air where something says which it is; and where several do, the person does.
 */
#include "cli/users_place.h"

#include <stdlib.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "cli/users_file.h"
#include "config/config.h"

#define OF_ITSELF "exeat" /* a gateway's realm where its section says none */

void users_place_free(struct users_place *p)
{
    free(p->path);
    free(p->realm);
    *p = (struct users_place){0};
}

/* One more place that says a realm. false: another one said another. */
static bool agree(struct users_place *p, const char *who, struct span realm, struct err *e)
{
    if (p->realm && span_eq(span_str(p->realm), realm))
        return true;
    if (p->realm)
        return err_set(e, ERR_USAGE,
                       "%s %s both the realm \"%s\" and the realm \"%.*s\": say --realm REALM, once for each",
                       p->path, who, p->realm, SPAN_ARG(realm));
    p->realm = span_dup(realm);
    return true;
}

/* By whatever name: /etc may be a link, and a file may have several. One that is not there has only its name. */
static bool same_file(const char *a, const char *b)
{
    struct stat one, other;
    if (stat(a, &one) == 0 && stat(b, &other) == 0)
        return one.st_dev == other.st_dev && one.st_ino == other.st_ino;
    return strcmp(a, b) == 0;
}

static char *absolute(const char *path)
{
    char *here = *path == '/' ? NULL : realpath(".", NULL);
    struct buf text = {0};
    buf_addf(&text, "%s%s%s", here ? here : "", here ? "/" : "", path);
    char *whole = span_dup(buf_span(&text));
    buf_free(&text);
    free(here);
    return whole;
}

static bool ask_configuration(struct users_place *p, const struct config *c, struct err *e)
{
    bool good = true;
    char *path = absolute(p->path);
    for (size_t i = 0; i < c->n_gateways && good; i++)
        if (c->gateways[i].users && same_file(c->gateways[i].users, path))
            good = agree(p, "has users of gateways with", span_str(c->gateways[i].realm), e);
    free(path);
    return good;
}

static bool ask_file(struct users_place *p, struct err *e)
{
    struct users_file f;
    bool good = users_file_open(&f, p->path, true, false, e);
    struct span rest = secret_reveal(&f.text);
    while (good && rest.n) {
        struct users_line line;
        if (users_line_read(span_cut(&rest, '\n'), &line) && line.form && line.realm.n)
            good = agree(p, "has lines for", line.realm, e);
    }
    users_file_close(&f);
    return good;
}

static bool find_realm(struct users_place *p, const struct config *c, struct err *e)
{
    if (c && !ask_configuration(p, c, e))
        return false;
    if (!p->realm && !ask_file(p, e))
        return false;
    p->guessed = !p->realm;
    if (p->guessed)
        p->realm = mem_strdup(OF_ITSELF);
    return true;
}

/* The one that is named, else the first that has a file. */
static const struct config_gateway *find_gateway(const struct config *c, const char *name)
{
    for (size_t i = 0; i < c->n_gateways; i++)
        if (name ? strcmp(c->gateways[i].name, name) == 0 : c->gateways[i].users != NULL)
            return &c->gateways[i];
    return NULL;
}

bool users_place_find(const struct verb_call *call, bool realm, struct users_place *p, struct err *e)
{
    const char *file = verb_value(call, "file"), *name = verb_value(call, "gateway");
    const char *given = verb_value(call, "realm"), *path = verb_value(call, "config");
    struct err ignored = {0};
    bool must = !file || name || path; /* without, the file is enough, and a configuration is a help */
    *p = (struct users_place){0};
    struct config *c = must || (realm && !given) ? config_load(path, must ? e : &ignored) : NULL;
    if (must && !c)
        return false;
    const struct config_gateway *g = !file || name ? find_gateway(c, name) : NULL;
    bool good = false;
    if (!g && name)
        err_set(e, ERR_USAGE, "the configuration has no [gateway %s]", name);
    else if (!file && (!g || !g->users))
        err_set(e, ERR_USAGE,
                "no gateway of the configuration has a file of users: say users = FILE there, or --file FILE "
                "here");
    else {
        p->path = mem_strdup(file ? file : g->users);
        if (realm && (given || name))
            p->realm = mem_strdup(given ? given : g->realm);
        good = !realm || p->realm || find_realm(p, c, e);
    }
    config_unref(c);
    return good;
}
