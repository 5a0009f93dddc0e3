/*
 * What NTLM calls this computer. gss-ntlmssp asks the environment (NETBIOS_COMPUTER_NAME) and then the host's name, both of the whole process, while
 * upstreams may each have a name of their own and handshakes run on several threads. So the question is answered here: this program has a getenv of
 * its own, which knows one variable for the thread that asks and looks into the environment for all others.
 */
#ifndef EXEAT_KEYS_WORKSTATION_H
#define EXEAT_KEYS_WORKSTATION_H

/* For the calls that this thread makes from now on; lent until the next one. NULL: as the environment has it. */
void workstation_set(const char *name);

/* The same for any variables: rows up to one without a name, lent until the next call; without a value: there is no such variable. NULL: as the environment
   has them. */
struct environment_row {
    const char *name, *value;
};
void environment_lend(const struct environment_row *all);

#endif
