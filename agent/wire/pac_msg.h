/*
 * What the agent and exeat-pac, the program that runs one PAC script, say to each other: one message per frame, one struct for all of them,
 * and one table that says which fields each type carries. One question at a time: exeat-pac answers a LOAD or FIND before it reads the next,
 * and while it is at it the agent sends nothing but the ADDRESSES that it asks for.
 *
 *   type        from    what it says                                                 what is answered
 *   READY       script  the engine is up and the sandbox closed: ask                 nothing
 *   LOAD        agent   here is the script, and its name for error messages;         DONE without a result, or FAILED
 *                       the first question, asked once
 *   FIND        agent   run FindProxyForURL(url, host)                               DONE with its result, or FAILED
 *   DONE        script  the result, as the script returned it (empty: left out)      nothing
 *   FAILED      script  why, with the script's name and line where there is one      nothing
 *   RESOLVE     script  (while the script waits) the addresses of a host?            ADDRESSES with the same call
 *   MY_ADDRESS  script  (while the script waits) the addresses of this machine?      ADDRESSES with the same call
 *   ADDRESSES   agent   addresses joined by ';', the preferred first; none: left out nothing
 *   ALERT       script  the script called alert()                                    nothing
 *
 * Decoding is strict: unknown type, unknown, repeated, missing or oversized field, trailing bytes: refused. exeat-pac runs other people's
 * programs: what it says is believed no more than what a network says. Spans of a decoded message point into the frame.
 */
#ifndef EXEAT_WIRE_PAC_MSG_H
#define EXEAT_WIRE_PAC_MSG_H

#include <stdint.h>

#include "base/buf.h"
#include "wire/frame.h"

/* In bytes. A script is at most 1 MiB, less what the frame needs besides. */
#define PAC_SCRIPT_MAX    (FRAME_MAX - 8192)
#define PAC_NAME_MAX      4096u
#define PAC_RESULT_MAX    65536u
#define PAC_WHY_MAX       2048u
#define PAC_ALERT_MAX     1024u
#define PAC_HOST_MAX      4096u
#define PAC_ADDRESSES_MAX 16384u

enum pac_type {
    PAC_READY = 1,
    PAC_LOAD,
    PAC_FIND,
    PAC_DONE,
    PAC_FAILED,
    PAC_RESOLVE,
    PAC_MY_ADDRESS,
    PAC_ADDRESSES,
    PAC_ALERT,
    PAC_TYPE_END,
};

struct pac_msg {
    enum pac_type type;
    uint32_t call; /* question and answer carry the same; 0 in READY and ALERT */
    struct span name;
    struct span script; /* bytes as fetched: exeat-pac finds out about their encoding */
    struct span url;
    struct span host;
    struct span result;
    struct span why; /* a sentence */
    struct span addresses;
    struct span alert;
};

/* Appends one whole frame. false: over a limit, or a field that this type does not carry is set. */
bool pac_msg_write(struct buf *out, const struct pac_msg *m);
/* Reads the body of one frame. false: refused, *why says what is wrong (static text). */
bool pac_msg_read(struct pac_msg *m, struct span body, const char **why);

const char *pac_type_name(enum pac_type type);

#endif
