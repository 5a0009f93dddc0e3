/*
 * Certificates of proxies. Every text that is taken from one passes clean() or OpenSSL's escaping: what a peer puts there reaches the log and an
 * error page.
 */
#include "net/certificate.h"

#include <arpa/inet.h>
#include <openssl/asn1.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <time.h>

#include "base/buf.h"

#define NAMES_SHOWN 5
#define NAME_BYTES  80 /* of each */

bool certificate_pin(const X509 *x, struct config_pin *pin)
{
    unsigned char *der = NULL;
    int n = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(x), &der);
    bool ok = n > 0 && EVP_Digest(der, (size_t)n, pin->sha256, NULL, EVP_sha256(), NULL) == 1;
    OPENSSL_free(der);
    return ok;
}

size_t certificate_end_point(const X509 *x, unsigned char hash[EVP_MAX_MD_SIZE])
{
    int digest = NID_undef;
    unsigned n = 0;
    if (!X509_get_signature_info((X509 *)(uintptr_t)x, &digest, NULL, NULL, NULL) || digest == NID_undef)
        return 0;
    if (digest == NID_md5 || digest == NID_sha1)
        digest = NID_sha256;
    const EVP_MD *md = EVP_get_digestbynid(digest);
    return md && X509_digest(x, md, hash, &n) ? n : 0;
}

/* --- texts --- */

static void clean(struct buf *out, const void *bytes, size_t n)
{
    const char *p = bytes;
    for (size_t i = 0; i < n && i < NAME_BYTES; i++)
        buf_add(out, p[i] > ' ' && p[i] <= '~' ? &p[i] : "?", 1);
    if (n > NAME_BYTES)
        buf_add_str(out, "...");
}

/* "CN = Corp Root, O = Corp": control characters and all beyond ASCII come out escaped. */
static void put_name(struct buf *out, const X509_NAME *name)
{
    BIO *text = BIO_new(BIO_s_mem());
    char *p;
    if (text && X509_NAME_print_ex(text, name, 0, XN_FLAG_ONELINE) > 0) {
        long n = BIO_get_mem_data(text, &p);
        size_t shown = n > NAME_BYTES * 2 ? NAME_BYTES * 2 : (size_t)n;
        buf_add(out, p, shown);
        buf_add_str(out, shown < (size_t)n ? "..." : "");
    }
    BIO_free(text);
}

static bool put_alternative(struct buf *out, const GENERAL_NAME *name, const char *before)
{
    int type;
    const ASN1_STRING *value = GENERAL_NAME_get0_value(name, &type);
    char address[INET6_ADDRSTRLEN];
    if (type == GEN_DNS) {
        buf_add_str(out, before);
        clean(out, ASN1_STRING_get0_data(value), (size_t)ASN1_STRING_length(value));
        return true;
    }
    if (type != GEN_IPADD)
        return false;
    int family = ASN1_STRING_length(value) == 4    ? AF_INET
                 : ASN1_STRING_length(value) == 16 ? AF_INET6
                                                   : AF_UNSPEC;
    if (family == AF_UNSPEC || !inet_ntop(family, ASN1_STRING_get0_data(value), address, sizeof address))
        return false;
    buf_addf(out, "%s%s", before, address);
    return true;
}

/* The names and addresses that it is for; its subject where it has none of these. */
static void put_names(struct buf *out, const X509 *x)
{
    GENERAL_NAMES *names = X509_get_ext_d2i(x, NID_subject_alt_name, NULL, NULL);
    int n = names ? sk_GENERAL_NAME_num(names) : 0, shown = 0;
    for (int i = 0; i < n && shown < NAMES_SHOWN; i++)
        shown += put_alternative(out, sk_GENERAL_NAME_value(names, i), shown ? ", " : "");
    if (shown == 0)
        put_name(out, X509_get_subject_name(x));
    else if (n > shown)
        buf_add_str(out, " and others");
    GENERAL_NAMES_free(names);
}

static void put_time(struct buf *out, const ASN1_TIME *time)
{
    struct tm tm;
    char text[40];
    if (ASN1_TIME_to_tm(time, &tm) && strftime(text, sizeof text, "%Y-%m-%d %H:%M UTC", &tm))
        buf_add_str(out, text);
    else
        buf_add_str(out, "a date that makes no sense");
}

/* --- what is wrong --- */

static void put_whose(struct buf *out, const X509 *x, int depth)
{
    if (depth == 0) {
        buf_add_str(out, "its certificate");
        return;
    }
    buf_add_str(out, "the certificate of its authority (");
    put_name(out, X509_get_subject_name(x));
    buf_add_str(out, ")");
}

static void explain(struct buf *out, int error, const X509 *x, int depth, const char *host)
{
    switch (error) {
    case X509_V_ERR_CERT_HAS_EXPIRED:
        put_whose(out, x, depth);
        buf_add_str(out, " has expired: it was good until ");
        put_time(out, X509_get0_notAfter(x));
        break;
    case X509_V_ERR_CERT_NOT_YET_VALID:
        put_whose(out, x, depth);
        buf_add_str(out, " is good only from ");
        put_time(out, X509_get0_notBefore(x));
        buf_add_str(out, " on: is the clock of this machine right?");
        break;
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH:
        buf_addf(out, "its certificate is not for %.*s but for ", NAME_BYTES * 2, host);
        put_names(out, x);
        break;
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
        buf_add_str(out, "its certificate is self-signed, and not one that is trusted here: when it is the "
                         "right one, put it into ca = FILE");
        break;
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
        put_whose(out, x, error == X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN ? 0 : depth);
        buf_add_str(out, " comes from an authority that is not known here (");
        put_name(out, X509_get_issuer_name(x));
        buf_add_str(out, "): when it is your organisation's, put its certificate into ca = FILE");
        break;
    case X509_V_ERR_INVALID_PURPOSE:
        put_whose(out, x, depth);
        buf_add_str(out, depth ? " may not vouch for others" : " is not one for servers");
        break;
    default:
        put_whose(out, x, depth);
        buf_addf(out, " is not good: %s", X509_verify_cert_error_string(error));
    }
}

void certificate_explain(struct err *e, X509_STORE_CTX *check, const char *host)
{
    int error = X509_STORE_CTX_get_error(check), depth = X509_STORE_CTX_get_error_depth(check);
    const X509 *x = X509_STORE_CTX_get_current_cert(check);
    struct buf text;
    buf_init(&text, 0);
    if (x)
        explain(&text, error, x, depth, host);
    else
        buf_addf(&text, "its certificate cannot be checked: %s", X509_verify_cert_error_string(error));
    err_set(e, ERR_PROTOCOL, "%s", buf_cstr(&text));
    buf_free(&text);
}
