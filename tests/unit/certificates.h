/*
 * Certificates for tests, made on the spot.
 */
#ifndef EXEAT_TESTS_CERTIFICATES_H
#define EXEAT_TESTS_CERTIFICATES_H

#include <openssl/x509v3.h>

static inline void certificate_extend(X509 *x, int nid, const char *value)
{
    X509V3_CTX context;
    X509V3_set_ctx(&context, x, x, NULL, NULL, 0);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &context, nid, value);
    assert_non_null(extension);
    X509_add_ext(x, extension, -1);
    X509_EXTENSION_free(extension);
}

/* Self-signed, for such names ("DNS:a,IP:1.2.3.4"), good from an hour ago for an hour. */
static inline X509 *certificate_for(EVP_PKEY *key, const EVP_MD *md, const char *names)
{
    X509 *x = X509_new();
    X509_set_version(x, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(x), 1);
    X509_gmtime_adj(X509_getm_notBefore(x), -3600);
    X509_gmtime_adj(X509_getm_notAfter(x), 3600);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN", MBSTRING_ASC, (const unsigned char *)"proxy",
                               -1, -1, 0);
    X509_set_issuer_name(x, X509_get_subject_name(x));
    X509_set_pubkey(x, key);
    certificate_extend(x, NID_subject_alt_name, names);
    assert_true(X509_sign(x, key, md) > 0);
    return x;
}

#endif
