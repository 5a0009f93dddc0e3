/*
 * A web server in a thread of its own, one connection after the other: it says what a test has put at a path, byte for byte, and remembers what it
 * was asked. In clear or over TLS.
 */
#ifndef EXEAT_TESTS_WEB_SERVER_H
#define EXEAT_TESTS_WEB_SERVER_H

#include <netdb.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "with_loop.h"

#define WEB_PATHS 16

enum web_end {
    WEB_CLOSE,
    WEB_HOLD,       /* nothing more, until the other side hangs up */
    WEB_NO_GOODBYE, /* TLS: without close_notify */
};

struct web_page {
    char path[64];
    struct buf bytes;
    enum web_end end;
};

static struct web {
    pthread_t thread;
    pthread_mutex_t lock;
    int listener, at; /* at: the connection that is being served; -1: none */
    uint16_t port;
    SSL_CTX *tls; /* NULL: in clear */
    struct web_page pages[WEB_PATHS];
    struct buf asked;  /* all heads */
    unsigned requests; /* that came */
} web = {.lock = PTHREAD_MUTEX_INITIALIZER, .listener = -1, .at = -1};

struct web_line {
    int fd;
    SSL *tls;
};

static inline ssize_t web_read(struct web_line *l, char *p, size_t n)
{
    return l->tls ? SSL_read(l->tls, p, (int)n) : recv(l->fd, p, n, 0);
}

static inline void web_write(struct web_line *l, const char *p, size_t n)
{
    while (n) {
        ssize_t done =
            l->tls ? SSL_write(l->tls, p, (int)(n > 16384 ? 16384 : n)) : send(l->fd, p, n, MSG_NOSIGNAL);
        if (done <= 0)
            return;
        p += done;
        n -= (size_t)done;
    }
}

static inline void web_answer(struct web_line *l)
{
    struct buf head = {0}, bytes = {0};
    char piece[4096], path[64] = "";
    enum web_end end = WEB_CLOSE;
    ssize_t n;
    while (!memmem(head.p ? head.p : "", head.n, "\r\n\r\n", 4) && (n = web_read(l, piece, sizeof piece)) > 0)
        buf_add(&head, piece, (size_t)n);
    if (head.n) {
        sscanf(buf_cstr(&head), "GET %63s ", path);
        pthread_mutex_lock(&web.lock);
        buf_add_span(&web.asked, buf_span(&head));
        web.requests++;
        for (size_t i = 0; i < WEB_PATHS; i++)
            if (strcmp(web.pages[i].path, path) == 0) {
                buf_add_span(&bytes, buf_span(&web.pages[i].bytes));
                end = web.pages[i].end;
            }
        pthread_mutex_unlock(&web.lock);
        web_write(l, bytes.p, bytes.n);
        if (end == WEB_HOLD)
            while (web_read(l, piece, sizeof piece) > 0)
                ;
    }
    if (l->tls && end != WEB_NO_GOODBYE)
        SSL_shutdown(l->tls);
    buf_free(&head);
    buf_free(&bytes);
}

static inline void web_set_line(int fd)
{
    pthread_mutex_lock(&web.lock);
    web.at = fd;
    pthread_mutex_unlock(&web.lock);
}

static inline void *web_serve(void *unused)
{
    int fd;
    while ((fd = accept4(web.listener, NULL, NULL, SOCK_CLOEXEC)) >= 0) {
        struct web_line l = {.fd = fd};
        web_set_line(fd);
        if (web.tls) {
            l.tls = SSL_new(web.tls);
            SSL_set_fd(l.tls, fd);
        }
        if (!l.tls || SSL_accept(l.tls) == 1)
            web_answer(&l);
        SSL_free(l.tls);
        shutdown(fd, SHUT_WR);
        char rest[4096];
        while (recv(fd, rest, sizeof rest, 0) > 0) /* lest a reset overtake the answer */
            ;
        web_set_line(-1);
        close(fd);
    }
    return unused;
}

/* `tls` NULL: in clear. */
static inline void web_start(SSL_CTX *tls)
{
    web.tls = tls;
    web.requests = 0;
    web.listener = listening_socket(&web.port, 16);
    assert_int_equal(pthread_create(&web.thread, NULL, web_serve, NULL), 0);
}

static inline void web_stop(void)
{
    shutdown(web.listener, SHUT_RDWR);
    pthread_mutex_lock(&web.lock);
    if (web.at >= 0) /* of a test that has failed, and hangs up no more */
        shutdown(web.at, SHUT_RDWR);
    pthread_mutex_unlock(&web.lock);
    pthread_join(web.thread, NULL);
    close(web.listener);
    for (size_t i = 0; i < WEB_PATHS; i++) {
        buf_free(&web.pages[i].bytes);
        web.pages[i].path[0] = '\0';
    }
    buf_free(&web.asked);
}

/* In place of what was there. */
static inline void web_put(const char *path, struct span bytes, enum web_end end)
{
    pthread_mutex_lock(&web.lock);
    struct web_page *page = web.pages;
    while (page->path[0] && strcmp(page->path, path) != 0)
        page++;
    assert_true(page < web.pages + WEB_PATHS);
    snprintf(page->path, sizeof page->path, "%s", path);
    buf_clear(&page->bytes);
    buf_add_span(&page->bytes, bytes);
    page->end = end;
    pthread_mutex_unlock(&web.lock);
}

static inline unsigned web_requests(void)
{
    pthread_mutex_lock(&web.lock);
    unsigned n = web.requests;
    pthread_mutex_unlock(&web.lock);
    return n;
}

/* Whether any head so far had that text; forgets all of them. */
static inline bool web_was_asked(const char *text)
{
    pthread_mutex_lock(&web.lock);
    bool had = strstr(buf_cstr(&web.asked), text) != NULL;
    pthread_mutex_unlock(&web.lock);
    return had;
}

static inline void web_forget(void)
{
    pthread_mutex_lock(&web.lock);
    buf_clear(&web.asked);
    pthread_mutex_unlock(&web.lock);
}

/* --- names: this stands before the C library's --- */

static char web_names
    [256]; /* those that there are, each with a blank behind it; all lead to the server, whatever the port */

int getaddrinfo(const char *host, const char *service, const struct addrinfo *hints, struct addrinfo **result)
{
    char word[256];
    (void)service;
    (void)hints;
    *result = NULL;
    snprintf(word, sizeof word, "%s ", host);
    if (!strstr(web_names, word))
        return EAI_NONAME;
    struct {
        struct addrinfo info;
        struct sockaddr_in address;
    } *f = calloc(1, sizeof *f);
    f->address = (struct sockaddr_in){
        .sin_family = AF_INET, .sin_port = htons(web.port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    f->info = (struct addrinfo){.ai_family = AF_INET,
                                .ai_socktype = SOCK_STREAM,
                                .ai_addrlen = sizeof f->address,
                                .ai_addr = (struct sockaddr *)&f->address};
    *result = &f->info;
    return 0;
}

void freeaddrinfo(struct addrinfo *list)
{
    free(list);
}

/* --- TLS --- */

/* A server whose certificate, for 127.0.0.1, stands in `file` too. */
static inline SSL_CTX *web_tls(const char *file)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *x = X509_new();
    X509V3_CTX context;
    X509_set_version(x, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(x), 1);
    X509_gmtime_adj(X509_getm_notBefore(x), -3600);
    X509_gmtime_adj(X509_getm_notAfter(x), 3600);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN", MBSTRING_ASC, (const unsigned char *)"pac", -1,
                               -1, 0);
    X509_set_issuer_name(x, X509_get_subject_name(x));
    X509_set_pubkey(x, key);
    X509V3_set_ctx(&context, x, x, NULL, NULL, 0);
    X509_EXTENSION *names = X509V3_EXT_conf_nid(NULL, &context, NID_subject_alt_name, "IP:127.0.0.1");
    X509_add_ext(x, names, -1);
    X509_EXTENSION_free(names);
    assert_true(X509_sign(x, key, EVP_sha256()) > 0);
    FILE *f = fopen(file, "w");
    assert_non_null(f);
    PEM_write_X509(f, x);
    fclose(f);
    SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
    assert_int_equal(SSL_CTX_use_certificate(ctx, x), 1);
    assert_int_equal(SSL_CTX_use_PrivateKey(ctx, key), 1);
    X509_free(x);
    EVP_PKEY_free(key);
    return ctx;
}

#endif
