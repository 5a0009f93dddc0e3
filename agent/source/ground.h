/*
 * What all sources of one agent stand on; private to source/ (and its tests).
 */
#ifndef EXEAT_SOURCE_GROUND_H
#define EXEAT_SOURCE_GROUND_H

#include "source/desktop.h"
#include "source/pac_source.h"

struct pac_ground {
    struct loop *loop;
    char *folder;            /* NULL: no copies are kept */
    struct starter *starter; /* NULL: GNOME's settings are not followed */
    const char *resolv_conf;
};

#endif
