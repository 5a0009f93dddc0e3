/*
 * What is asked of a proxy's certificate beyond OpenSSL's own checks: its pin, its channel binding, and words for what is wrong with it. Names
 * in certificates are a peer's text: they come out as printable ASCII, cut to a bearable length. Pure; any thread.
 */
#ifndef EXEAT_NET_CERTIFICATE_H
#define EXEAT_NET_CERTIFICATE_H

#include <openssl/x509.h>
#include <openssl/x509_vfy.h>

#include "config/config.h"

/* SHA-256 of the SubjectPublicKeyInfo (RFC 7469 section 2.4). */
bool certificate_pin(const X509 *x, struct config_pin *pin);

/* The tls-server-end-point channel binding (RFC 5929 section 4.1): the certificate's hash, with the hash function of its signature, or SHA-256 in place of
   MD5 and SHA-1. Returns its length in bytes; 0: the signature has no hash of its own (Ed25519), so that nothing is defined. */
size_t certificate_end_point(const X509 *x, unsigned char hash[EVP_MAX_MD_SIZE]);

/* Why X509_verify_cert has just failed, for a connection to `host`, and what to do about it. */
void certificate_explain(struct err *e, X509_STORE_CTX *check, const char *host);

#endif
