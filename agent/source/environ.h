/*
 * Proxies that the environment names, as other programs read them: auto_proxy, http_proxy, https_proxy, all_proxy, no_proxy, in either letter
 * case. Pure but for `variable`.
 */
#ifndef EXEAT_SOURCE_ENVIRON_H
#define EXEAT_SOURCE_ENVIRON_H

#include "source/settings.h"

void environ_read(const char *(*variable)(const char *name), struct settings *s);

#endif
