/*
 * By ourselves, as in given.c: a datagram against a library that would bring compression libraries into the program that faces the network. The socket is
 * connected before the agent gives up its freedoms, so that none is needed later.
 */
#include "net/notify.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"

static int connect_to(const char *name)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t n = strlen(name);
    if ((name[0] != '/' && name[0] != '@') || n >= sizeof address.sun_path)
        return -1;
    memcpy(address.sun_path, name, n);
    if (name[0] == '@')
        address.sun_path[0] = '\0';
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n);
    if (fd >= 0 && connect(fd, (struct sockaddr *)&address, size) == 0)
        return fd;
    if (fd >= 0)
        close(fd);
    return -1;
}

int notify_open(void)
{
    const char *name = getenv("NOTIFY_SOCKET");
    if (!name || !*name)
        return -1;
    int fd = connect_to(name);
    if (fd < 0)
        log_warning(NULL,
                    "NOTIFY_SOCKET names %s, which cannot be reached: nobody is told when the agent is ready",
                    name);
    unsetenv("NOTIFY_SOCKET");
    return fd;
}

void notify_tell(int fd, const char *lines)
{
    if (fd >= 0 && send(fd, lines, strlen(lines), MSG_NOSIGNAL) < 0)
        log_debug(NULL, "the service manager was not told %s", lines);
}

void notify_reloading(int fd)
{
    char lines[64];
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    snprintf(lines, sizeof lines, "RELOADING=1\nMONOTONIC_USEC=%lld",
             (long long)now.tv_sec * 1000000 + now.tv_nsec / 1000);
    notify_tell(fd, lines);
}
