/*
 * Standard input and output joined to a connected socket, for a program that has nothing else to do.
 */
#ifndef EXEAT_CLI_BOTH_WAYS_H
#define EXEAT_CLI_BOTH_WAYS_H

#include "base/err.h"
#include "base/span.h"

/* Copies until both sides have ended, each direction with its own end: EOF on standard input is a shutdown of the socket, its EOF closes standard
   output. `first` goes to standard output before all else. Takes the socket over. false: something broke, *e says what; with ERR_NONE in it whoever
   read standard output has gone away, which is worth no words. SIGPIPE must be ignored. */
bool both_ways(int sock, struct span first, struct err *e);

#endif
