/*
 * Who listens on a port of this machine: the kernel's table of sockets (/proc/net/tcp, tcp6) for the socket and its user, then the descriptors of
 * those processes that we may look into.
 */
#include <arpa/inet.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "cli/doctor.h"

#define STATE_LISTEN 0x0a

struct wanted {
    bool any;
    int family; /* of the address: */
    uint32_t words[4];
    uint16_t port;
};

static void want(struct wanted *w, const char *host, uint16_t port)
{
    struct in_addr four;
    struct in6_addr six;
    *w = (struct wanted){.port = port, .any = true};
    if (host && strcmp(host, "localhost") == 0)
        host = "127.0.0.1";
    if (host && inet_pton(AF_INET, host, &four) == 1) {
        w->any = false;
        w->family = AF_INET;
        memcpy(w->words, &four, sizeof four);
    } else if (host && inet_pton(AF_INET6, host, &six) == 1) {
        w->any = false;
        w->family = AF_INET6;
        memcpy(w->words, &six, sizeof six);
    }
}

/* The address of a row, as the kernel prints it: hexadecimal words in the machine's own order. A wildcard takes the port from everybody. */
static bool is_wanted(const struct wanted *w, int family, const uint32_t words[4])
{
    size_t n = family == AF_INET ? 1 : 4;
    bool wildcard = true, same = w->family == family;
    for (size_t i = 0; i < n; i++) {
        wildcard = wildcard && words[i] == 0;
        same = same && words[i] == w->words[i];
    }
    return w->any || same || (wildcard && (family == w->family || family == AF_INET6));
}

static bool read_row(const char *line, int family, uint32_t words[4], unsigned *port, unsigned *state,
                     unsigned *uid, unsigned long *inode)
{
    int n = 0;
    bool good = family == AF_INET ? sscanf(line, " %*d: %8X%n", &words[0], &n) == 1
                                  : sscanf(line, " %*d: %8X%8X%8X%8X%n", &words[0], &words[1], &words[2],
                                           &words[3], &n) == 4;
    return good && sscanf(line + n, ":%X %*s %X %*s %*s %*s %u %*d %lu", port, state, uid, inode) == 4;
}

/* The inode of the socket; 0: there is none. */
static unsigned long find_socket(const struct wanted *w, const char *table, int family, unsigned *uid)
{
    FILE *file = fopen(table, "re");
    char line[512];
    unsigned long inode, found = 0;
    while (file && !found && fgets(line, sizeof line, file)) {
        uint32_t words[4] = {0};
        unsigned port, state;
        if (read_row(line, family, words, &port, &state, uid, &inode) && state == STATE_LISTEN &&
            port == w->port && is_wanted(w, family, words))
            found = inode;
    }
    if (file)
        fclose(file);
    return found;
}

static bool holds(int pid, unsigned long inode)
{
    char path[64], wanted[64], link[64];
    snprintf(path, sizeof path, "/proc/%d/fd", pid);
    snprintf(wanted, sizeof wanted, "socket:[%lu]", inode);
    DIR *fds = opendir(path);
    bool found = false;
    for (struct dirent *d; fds && !found && (d = readdir(fds));) {
        ssize_t n = readlinkat(dirfd(fds), d->d_name, link, sizeof link - 1);
        link[n > 0 ? n : 0] = '\0';
        found = strcmp(link, wanted) == 0;
    }
    if (fds)
        closedir(fds);
    return found;
}

static void read_name(struct port_owner *who, int pid)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/comm", pid);
    FILE *file = fopen(path, "re");
    if (file && fgets(who->name, sizeof who->name, file))
        who->name[strcspn(who->name, "\n")] = '\0';
    if (file)
        fclose(file);
    who->pid = pid;
    who->known = who->name[0] != '\0';
}

void port_owner_find(struct port_owner *who, const char *host, uint16_t port)
{
    struct wanted w;
    want(&w, host, port);
    *who = (struct port_owner){0};
    unsigned long inode = find_socket(&w, "/proc/net/tcp", AF_INET, &who->uid);
    if (!inode)
        inode = find_socket(&w, "/proc/net/tcp6", AF_INET6, &who->uid);
    who->found = inode != 0;
    DIR *processes = inode ? opendir("/proc") : NULL;
    for (struct dirent *d; processes && !who->known && (d = readdir(processes));)
        if (d->d_name[0] >= '1' && d->d_name[0] <= '9' && holds(atoi(d->d_name), inode))
            read_name(who, atoi(d->d_name));
    if (processes)
        closedir(processes);
}
