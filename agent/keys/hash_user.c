/*
 * One line for each form: crypt(3) with the form that this system prefers for passwords, Digest with SHA-256, MD5 and SHA-512-256 (users.h says how it is written), and NTLM where OpenSSL has its old hash.
 */
#include "keys/hash_user.h"

#include <crypt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/log.h"
#include "base/secret.h"
#include "base/write_all.h"
#include "keys/digest_hash.h"
#include "keys/nthash.h"

#define INPUT_MAX ((size_t)64 << 10)

static bool add_crypt(struct secret *out, struct span user, const struct secret *password)
{
    static const char *const prefixes[] = {"$y$", "$2b$", "$6$"};
    struct crypt_data *data = mem_zero(sizeof *data);
    char setting[CRYPT_GENSALT_OUTPUT_SIZE];
    const char *made = NULL;
    for (size_t i = 0; i < sizeof prefixes / sizeof *prefixes && !made; i++) {
        if (crypt_gensalt_rn(prefixes[i], 0, NULL, 0, setting, sizeof setting))
            made = crypt_r(secret_reveal(password).p, setting, data);
        if (made && made[0] == '*')
            made = NULL;
    }
    if (made) {
        secret_add(out, user);
        secret_add(out, SPAN(":"));
        secret_add(out, span_str(made));
        secret_add(out, SPAN("\n"));
    }
    secret_wipe(data, sizeof *data);
    free(data);
    return made != NULL;
}

static void add_digest(struct secret *out, struct span user, struct span realm, const struct secret *password,
                       const char *algorithm, struct span form)
{
    char hash[DIGEST_HEX_SIZE];
    EVP_MD *md = digest_algorithm_fetch(digest_algorithm_find(algorithm));
    if (!md)
        return; /* a system that does without MD5 */
    DIGEST_HASH(md, hash, user, realm, secret_reveal(password));
    EVP_MD_free(md);
    const struct span parts[] = {user, SPAN(":"), realm, SPAN(":"), form, span_str(hash), SPAN("\n")};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        secret_add(out, parts[i]);
    secret_wipe(hash, sizeof hash);
}

static void add_nt(struct secret *out, struct span user, const struct secret *password)
{
    struct secret hash = {0};
    struct err e = {0};
    if (!nt_hash(&hash, secret_reveal(password), &e)) {
        log_warning(NULL, "%s: the user cannot come in by NTLM", e.text);
        return;
    }
    secret_add(out, user);
    secret_add(out, SPAN(":0:XXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXX:"));
    secret_add(out, secret_reveal(&hash));
    secret_add(out, SPAN(":[U          ]:LCT-00000000:\n"));
    secret_free(&hash);
}

int hash_user(void)
{
    struct secret input = {0}, password = {0}, out = {0};
    int status = EXIT_FAILURE;
    bool good = secret_read(&input, STDIN_FILENO, INPUT_MAX);
    struct span rest = secret_reveal(&input);
    struct span user = span_cut(&rest, '\n'), realm = span_cut(&rest, '\n'), word = span_cut(&rest, '\n');
    secret_set(&password, word);
    secret_set(&out, SPAN(""));
    if (!good || user.n == 0 || realm.n == 0 || word.n == 0 || memchr(word.p, '\0', word.n)) {
        log_error(NULL, "user, realm and password are expected on standard input, a line each");
    } else if (!add_crypt(&out, user, &password)) {
        log_error(NULL, "crypt(3) can hash no password here, or this one is too long");
    } else {
        add_digest(&out, user, realm, &password, "SHA-256", SPAN(""));
        add_digest(&out, user, realm, &password, "MD5", SPAN(""));
        add_digest(&out, user, realm, &password, "SHA-512-256", SPAN("{SHA-512-256}"));
        add_nt(&out, user, &password);
        status = write_all(STDOUT_FILENO, secret_reveal(&out)) ? EXIT_SUCCESS : EXIT_FAILURE;
    }
    secret_free(&input);
    secret_free(&password);
    secret_free(&out);
    return status;
}
