/*
 * What both sides of TLS have in common: our own certificate and its key, read from files when a configuration is loaded, and what is asked of every connection.
 */
#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "net/tls_inside.h"

bool tls_file_readable(const char *setting, const char *path, struct err *e)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK); /* a FIFO must not hold us */
    if (fd < 0)
        return err_errno(e, ERR_CONFIG, errno, "%s: cannot read %s", setting, path);
    bool regular = fstat(fd, &st) == 0 && S_ISREG(st.st_mode);
    close(fd);
    return regular || err_set(e, ERR_CONFIG, "%s: %s is not a regular file", setting, path);
}

/* A passphrase would have to come from somewhere, and OpenSSL would ask the terminal. */
static int no_passphrase(char *to, int room, int writing, void *asked)
{
    (void)to;
    (void)room;
    (void)writing;
    *(bool *)asked = true;
    return -1;
}

static void warn_of_readers(const char *path)
{
    struct stat st;
    if (stat(path, &st) == 0 && st.st_mode & (S_IRWXG | S_IRWXO))
        log_warning(NULL, "others may read the key in %s: chmod 600 %s", path, path);
}

bool tls_show(SSL_CTX *ctx, const char *certificate, const char *key, struct err *e)
{
    bool locked = false;
    const char *where = key ? key : certificate;
    if (!tls_file_readable("certificate", certificate, e) || (key && !tls_file_readable("key", key, e)))
        return false;
    if (SSL_CTX_use_certificate_chain_file(ctx, certificate) != 1)
        return err_set(e, ERR_CONFIG,
                       "certificate: %s has no certificate in it, or a broken one (it must be in PEM form)",
                       certificate);
    SSL_CTX_set_default_passwd_cb(ctx, no_passphrase);
    SSL_CTX_set_default_passwd_cb_userdata(ctx, &locked);
    bool loaded = SSL_CTX_use_PrivateKey_file(ctx, where, SSL_FILETYPE_PEM) == 1;
    SSL_CTX_set_default_passwd_cb_userdata(ctx, NULL);
    if (locked)
        return err_set(e, ERR_CONFIG,
                       "key: the one in %s has a passphrase, which nobody can type here; take it off and "
                       "chmod 600 the file",
                       where);
    bool mismatch = ERR_GET_REASON(ERR_peek_last_error()) == X509_R_KEY_VALUES_MISMATCH;
    if (loaded ? SSL_CTX_check_private_key(ctx) != 1
               : mismatch) /* a key of another kind is loaded beside the certificate */
        return err_set(e, ERR_CONFIG, "key: the one in %s does not belong to the certificate in %s", where,
                       certificate);
    if (!loaded)
        return err_set(e, ERR_CONFIG, "%s: %s has no key in it, or a broken one (it must be in PEM form)",
                       key ? "key" : "certificate", where);
    warn_of_readers(where);
    return true;
}

void tls_common(SSL_CTX *ctx)
{
    SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION);
    SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION);
    SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS); /* an idle connection holds none */
}
