/*
 * GNOME: a shell, which a process forked before the confinement starts for us, with a `gsettings monitor` for each group of keys; whatever one of
 * them says has all keys printed anew, so that we never put a whole together from parts. Passwords that GNOME may have for its proxy are
 * left out there already. All of them end with us. They run from the first request on and say something only when the settings change.
 * KDE: its file, looked at when a request comes, at most every two seconds.
 */
#include "source/desktop.h"

#include <stdlib.h>
#include <unistd.h>

#include "source/environ.h"
#include "source/gnome.h"
#include "source/kde.h"
#include "source/look.h"

#define LOOK_EVERY_MS 2000
#define ANSWER_MS     10000 /* gsettings, the first time */
#define AGAIN_MS      60000 /* after the program has ended */
#define LISTING_BYTES ((size_t)256 << 10)
#define FILE_BYTES    ((size_t)1 << 20)

/* The second listing is for what changes while the monitors begin to listen. */
static const char follow_gnome[] = "P=org.gnome.system.proxy\n"
                                   "exec 2>/dev/null\n"
                                   "{\n"
                                   "    gsettings monitor $P &\n"
                                   "    for s in http https socks; do\n"
                                   "        gsettings monitor $P.$s host &\n"
                                   "        gsettings monitor $P.$s port &\n"
                                   "    done\n"
                                   "    echo first\n"
                                   "    sleep 2\n"
                                   "    echo second\n"
                                   "    wait\n"
                                   "} | while read -r line; do\n"
                                   "    gsettings list-recursively $P | grep -v '^[a-z.]* authentication-'\n"
                                   "    echo .\n"
                                   "done >&3\n";

struct desktop {
    struct loop *loop;
    enum desktop_kind kind;
    const struct desktop_events *events;
    void *owner;
    struct settings now;
    bool known, waiting, tried, failing;
    struct later tell; /* what must not be told inside desktop_new or desktop_want */
    /* KDE */
    char *file;
    struct looking *looking;
    struct look_seen seen;
    uint64_t look_after; /* loop_now */
    /* GNOME */
    struct starter *starter;
    struct child *child;
    struct stream *talk;
    struct buf in;
    struct deadline answer;
    uint64_t start_after;
};

/* --- which --- */

static const struct {
    const char *name;
    enum desktop_kind kind;
} desktops[] = {{"KDE", DESKTOP_KDE},
                {"GNOME", DESKTOP_GNOME},
                {"GNOME-Classic", DESKTOP_GNOME},
                {"GNOME-Flashback", DESKTOP_GNOME},
                {"Unity", DESKTOP_GNOME},
                {"X-Cinnamon", DESKTOP_GNOME},
                {"Cinnamon", DESKTOP_GNOME},
                {"MATE", DESKTOP_GNOME},
                {"Budgie", DESKTOP_GNOME},
                {"Pantheon", DESKTOP_GNOME}};

enum desktop_kind desktop_kind_of(const char *xdg_current_desktop, bool environment_says, bool gsettings)
{
    struct span names = span_str(xdg_current_desktop);
    while (names.n) {
        struct span name = span_cut(&names, ':');
        for (size_t i = 0; i < sizeof desktops / sizeof *desktops; i++)
            if (span_ieq(name, span_str(desktops[i].name)))
                return desktops[i].kind;
    }
    return !environment_says && gsettings ? DESKTOP_GNOME : DESKTOP_ENVIRONMENT;
}

static const char *variable(const char *name)
{
    return getenv(name);
}

static bool is_in_path(const char *program)
{
    struct span folders = span_str(getenv("PATH"));
    bool found = false;
    while (folders.n && !found) {
        struct buf path = {0};
        struct span folder = span_cut(&folders, ':');
        buf_addf(&path, "%.*s/%s", SPAN_ARG(folder), program);
        found = folder.n && access(buf_cstr(&path), X_OK) == 0;
        buf_free(&path);
    }
    return found;
}

enum desktop_kind desktop_kind_here(void)
{
    struct settings s;
    environ_read(variable, &s);
    bool says = s.say != SETTINGS_NONE;
    settings_free(&s);
    return desktop_kind_of(getenv("XDG_CURRENT_DESKTOP"), says, is_in_path("gsettings"));
}

const char *desktop_name(enum desktop_kind kind)
{
    static const char *const names[] = {"the environment", "KDE's settings", "GNOME's settings"};
    return names[kind];
}

/* --- what there is --- */

static void settle(struct desktop *d)
{
    if (!d->waiting)
        return;
    d->waiting = false;
    d->events->settled(d->owner);
}

/* Takes what is in *s. */
static void learn(struct desktop *d, struct settings *s)
{
    bool same = d->known && settings_equal(&d->now, s);
    settings_free(&d->now);
    d->now = *s;
    d->known = true;
    d->failing = false;
    if (!same)
        d->events->changed(d->owner, &d->now);
}

static void fail(struct desktop *d, const char *why)
{
    bool news = !d->failing;
    d->failing = true;
    if (news)
        d->events->failed(d->owner, span_str(why));
    settle(d);
}

/* --- the environment --- */

static void tell_environment(void *owner)
{
    struct desktop *d = owner;
    struct settings s;
    environ_read(variable, &s);
    learn(d, &s);
    settle(d);
}

/* --- KDE --- */

static char *kde_file(void)
{
    const char *config = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");
    struct buf path = {0};
    if (config && config[0] == '/')
        buf_addf(&path, "%s/kioslaverc", config);
    else
        buf_addf(&path, "%s/.config/kioslaverc", home ? home : "");
    char *result = mem_strdup(buf_cstr(&path));
    buf_free(&path);
    return result;
}

static void looked(void *owner, const struct look *look)
{
    struct desktop *d = owner;
    struct settings s;
    d->looking = NULL;
    d->seen = look->seen;
    d->look_after = loop_now(d->loop) + LOOK_EVERY_MS;
    if (look->result == LOOK_NEW || look->result == LOOK_ABSENT) {
        kde_read(buf_span(&look->bytes), variable, &s);
        learn(d, &s);
    } else if (look->result == LOOK_FAILED) {
        fail(d, look->why.text);
    }
    settle(d);
}

static bool want_kde(struct desktop *d)
{
    if (d->looking || loop_now(d->loop) >= d->look_after) {
        if (!d->looking)
            d->looking = look_start(d->loop, d->file, FILE_BYTES, &d->seen, looked, d);
        d->waiting = true;
    }
    return !d->waiting;
}

/* --- GNOME --- */

static void gnome_stop(struct desktop *d)
{
    if (d->talk)
        stream_close(d->talk);
    if (d->child)
        child_kill(d->child);
    d->talk = NULL;
    d->child = NULL;
    deadline_stop(&d->answer);
    buf_clear(&d->in);
    d->start_after = loop_now(d->loop) + AGAIN_MS;
}

static void gnome_lost(struct desktop *d, const char *why)
{
    gnome_stop(d);
    fail(d, why);
}

static void gnome_ended(void *owner, int exit_status, int signal)
{
    struct desktop *d = owner;
    (void)exit_status;
    (void)signal;
    d->child = NULL;
    gnome_lost(d, "GNOME's settings cannot be followed: the program gsettings has ended");
}

static void gnome_eof(void *owner)
{
    gnome_lost(owner, "GNOME's settings cannot be followed: the program gsettings has ended");
}

static void gnome_broke(void *owner, const struct err *why)
{
    (void)why;
    gnome_eof(owner);
}

static void gnome_silent(void *owner)
{
    gnome_lost(owner, "GNOME's settings cannot be read: the program gsettings does not answer");
}

/* A whole listing. */
static void gnome_told(struct desktop *d, struct span listing)
{
    struct settings s;
    deadline_stop(&d->answer);
    if (gnome_read(listing, &s)) {
        learn(d, &s);
        settle(d);
    } else {
        fail(d,
             "GNOME's settings cannot be read: gsettings does not know org.gnome.system.proxy (the package "
             "gsettings-desktop-schemas brings it)");
    }
}

static void gnome_said(void *owner, struct span bytes)
{
    struct desktop *d = owner;
    if (!buf_add_span(&d->in, bytes)) {
        gnome_lost(d, "GNOME's settings cannot be read: they are far too long");
        return;
    }
    struct stream *talk = d->talk;
    for (;;) {
        struct span all = buf_span(&d->in);
        const char *end = all.n == 0                      ? NULL
                          : span_starts(all, SPAN(".\n")) ? all.p - 1
                                                          : memmem(all.p, all.n, "\n.\n", 3);
        if (!end)
            return;
        struct buf listing = {0};
        buf_add(&listing, all.p, (size_t)(end + 1 - all.p));
        buf_drop(&d->in, (size_t)(end + 1 - all.p) + 2);
        gnome_told(d, buf_span(&listing));
        buf_free(&listing);
        if (d->talk != talk)
            return;
    }
}

static void nothing(void *owner)
{
    (void)owner;
}

static void no_gnome(void *owner)
{
    struct desktop *d = owner;
    fail(
        d,
        d->starter
            ? "GNOME's settings cannot be followed, for the process that does this has ended: stop exeat and "
              "start it again"
            : "GNOME's settings cannot be followed, for exeat was started without pac = system: stop it and "
              "start it again");
}

static bool want_gnome(struct desktop *d)
{
    static const struct stream_events events = {gnome_said, gnome_eof, nothing, gnome_broke};
    struct err e;
    if (d->talk || loop_now(d->loop) < d->start_after)
        return !d->waiting;
    if (d->starter)
        d->child = starter_start(d->starter, &d->talk, gnome_ended, d, &e);
    d->waiting = !d->known && !d->tried;
    d->tried = true;
    if (!d->child) {
        d->start_after = loop_now(d->loop) + AGAIN_MS;
        later_start(d->loop, &d->tell, no_gnome, d);
        return !d->waiting;
    }
    stream_own(d->talk, &events, d);
    stream_read(d->talk);
    deadline_start(d->loop, &d->answer, ANSWER_MS, gnome_silent, d);
    return !d->waiting;
}

struct starter *desktop_starter_new(struct loop *loop, struct err *e)
{
    char shell[] = "/bin/sh", option[] = "-c";
    char *script = mem_strdup(follow_gnome);
    char *const arguments[] = {shell, option, script, NULL};
    struct starter *s = starter_new(loop, arguments, STARTER_KILLS, e);
    free(script);
    return s;
}

/* --- all --- */

struct desktop *desktop_new(struct loop *loop, enum desktop_kind kind, struct starter *starter,
                            const struct desktop_events *events, void *owner)
{
    struct desktop *d = mem_zero(sizeof *d);
    *d = (struct desktop){
        .loop = loop, .kind = kind, .starter = starter, .events = events, .owner = owner, .file = kde_file()};
    buf_init(&d->in, LISTING_BYTES);
    if (kind == DESKTOP_ENVIRONMENT)
        later_start(loop, &d->tell, tell_environment, d);
    return d;
}

void desktop_free(struct desktop *d)
{
    if (!d)
        return;
    gnome_stop(d);
    look_cancel(d->looking);
    later_cancel(&d->tell);
    settings_free(&d->now);
    buf_free(&d->in);
    free(d->file);
    free(d);
}

bool desktop_want(struct desktop *d)
{
    if (d->kind == DESKTOP_KDE)
        return want_kde(d);
    if (d->kind == DESKTOP_GNOME)
        return want_gnome(d);
    d->waiting |= !d->known;
    return !d->waiting;
}

void desktop_doubt(struct desktop *d)
{
    d->look_after = d->start_after = 0;
    d->tried = d->failing = false;
}
