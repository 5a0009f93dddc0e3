/*
 * The desktop's proxy settings, followed: GNOME's through the gsettings program, KDE's by a look at its file when a request comes, the environment's
 * once. XDG_CURRENT_DESKTOP decides; where it names neither, the environment, and where that says nothing, GNOME's if there is gsettings (an agent
 * that the service manager started before the desktop knows no desktop). Loop thread only.
 */
#ifndef EXEAT_SOURCE_DESKTOP_H
#define EXEAT_SOURCE_DESKTOP_H

#include "net/child.h"
#include "source/settings.h"

enum desktop_kind { DESKTOP_ENVIRONMENT, DESKTOP_KDE, DESKTOP_GNOME };

/* By XDG_CURRENT_DESKTOP; `environment_says`: it names a proxy or a script; `gsettings`: that program is there. Pure. */
enum desktop_kind desktop_kind_of(const char *xdg_current_desktop, bool environment_says, bool gsettings);

/* What this process's environment makes of it. */
enum desktop_kind desktop_kind_here(void);
/* "GNOME's settings" */
const char *desktop_name(enum desktop_kind kind);

/* What prints GNOME's settings whenever they change, ended by a line with a dot each time. Before the confinement. NULL with *e. */
struct starter *desktop_starter_new(struct loop *loop, struct err *e);

struct desktop;

/* Never inside a function of this header. */
struct desktop_events {
    void (*changed)(void *owner,
                    const struct settings *s);    /* first, or other than before; lent for the call */
    void (*failed)(void *owner, struct span why); /* once for each row of failures */
    void (*settled)(void *owner);                 /* after desktop_want said false, once */
};

/* `starter`: of desktop_starter_new; NULL: GNOME's cannot be followed, which is said when they are wanted. */
struct desktop *desktop_new(struct loop *loop, enum desktop_kind kind, struct starter *starter,
                            const struct desktop_events *events, void *owner);
void desktop_free(struct desktop *d); /* not inside a callback */
/* true: what was told last holds. false: wait for `settled`. */
bool desktop_want(struct desktop *d);
/* Look anew at the next request. */
void desktop_doubt(struct desktop *d);

#endif
