/*
 * Exit codes: what they mean, and which kind of failure ends with which. Tables only.
 */
#include "cli/exit.h"

const struct exit_row exit_rows[] = {
    {EXIT_DONE, "It is done."},
    {EXIT_FAILED, "It failed; a sentence on standard error says why."},
    {EXIT_USAGE, "The command line was not understood."},
    {EXIT_CONFIG, "The configuration is wrong or missing; the sentence names the file and the line."},
    {EXIT_NO_AGENT, "No agent is running, or it went away before it answered."},
    {EXIT_REFUSED, "The proxy refused the user or the password."},
    {EXIT_UNREACHABLE,
     "The proxy, the Kerberos server or the agent did not answer in time, or cannot be reached."},
    {EXIT_DONE, NULL},
};

enum exit_code exit_from_err(enum err_code code)
{
    static const enum exit_code codes[] = {
        [ERR_NONE] = EXIT_DONE,
        [ERR_USAGE] = EXIT_USAGE,
        [ERR_CONFIG] = EXIT_CONFIG,
        [ERR_SYSTEM] = EXIT_FAILED,
        [ERR_UNREACHABLE] = EXIT_UNREACHABLE,
        [ERR_TIMEOUT] = EXIT_UNREACHABLE,
        [ERR_PROTOCOL] = EXIT_FAILED,
        [ERR_REFUSED] = EXIT_FAILED,
        [ERR_GONE] = EXIT_NO_AGENT,
        [ERR_LIMIT] = EXIT_FAILED,
    };
    return codes[code];
}

enum exit_code exit_from_verdict(uint32_t verdict)
{
    static const enum exit_code codes[KEYS_VERDICT_END] = {
        [0] = EXIT_FAILED,
        [KEYS_OK] = EXIT_DONE,
        [KEYS_SEND] = EXIT_FAILED,
        [KEYS_RESTART] = EXIT_FAILED,
        [KEYS_NEED_BODY] = EXIT_FAILED,
        [KEYS_REFUSED] = EXIT_REFUSED,
        [KEYS_SITE_REFUSED] = EXIT_REFUSED,
        [KEYS_UNAVAILABLE] = EXIT_FAILED,
        [KEYS_TIMEOUT] = EXIT_UNREACHABLE,
        [KEYS_BROKEN] = EXIT_FAILED,
        [KEYS_MUTUAL_FAILED] = EXIT_FAILED,
        [KEYS_NOT_ASKED] = EXIT_DONE,
        [KEYS_UNREACHABLE] = EXIT_UNREACHABLE,
        [KEYS_DOWNGRADED] = EXIT_FAILED,
    };
    return verdict < KEYS_VERDICT_END ? codes[verdict] : EXIT_FAILED;
}
