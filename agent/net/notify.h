/*
 * What the agent says of itself to who started it (sd_notify(3), Type=notify): a datagram with "KEY=value" lines to the Unix socket that NOTIFY_SOCKET names.
 * A service manager that cannot be reached is never a reason to fail, or to wait. One thread.
 */
#ifndef EXEAT_NET_NOTIFY_H
#define EXEAT_NET_NOTIFY_H

/* Connects to the socket, where there is one, and takes the variable out of the environment: programs that we start are not to speak for us. Returns a
 * descriptor for notify_tell, which the caller closes; -1: nobody wants to know. */
int notify_open(void);

void notify_tell(int fd, const char *lines);

/* "RELOADING=1"; a "READY=1" has to follow. */
void notify_reloading(int fd);

#endif
