/*
 * The settings as an immutable, reference-counted snapshot: an exchange keeps the one it began with. Made
 * from a file, or without a file from the environment; or an error with file, line and the nearest valid
 * name. Read-only after config_load, so any thread may read it.
 */
#ifndef EXEAT_CONFIG_CONFIG_H
#define EXEAT_CONFIG_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "base/log.h"
#include "base/pattern.h"

enum auth_scheme { AUTH_NEGOTIATE, AUTH_NTLM, AUTH_DIGEST, AUTH_BASIC, AUTH_SCHEMES };

enum secret_source {
    SECRET_KEYRING,
    SECRET_COMMAND,    /* argument: the command line, run by /bin/sh -c; first line of its output, without the
                          newline */
    SECRET_FILE,       /* argument: path; the same */
    SECRET_CREDENTIAL, /* argument: name below $CREDENTIALS_DIRECTORY */
    SECRET_KEYTAB,     /* argument: path; a Kerberos key instead of a password */
    SECRET_PROMPT,     /* asked for with exeat login, kept in memory only */
    SECRET_NT_HASH, /* in the keyring, as the NT hash of the password in hexadecimal digits: for NTLM alone */
    SECRET_NONE,    /* tickets only */
};

enum kerberos_source {
    KERBEROS_FIND,    /* the tickets that are there already */
    KERBEROS_ACQUIRE, /* where there is none, one is got with the password */
};

/* What DNS has to say about the host name in the proxy's service name. */
enum canonicalize {
    CANONICALIZE_SYSTEM, /* as krb5.conf has it (dns_canonicalize_hostname, rdns) */
    CANONICALIZE_YES,    /* an alias (CNAME) is followed */
    CANONICALIZE_NO,     /* the name as configured */
};

enum client_credentials {
    CLIENT_CREDENTIALS_DROP, /* a client's own Proxy-Authorization goes no further */
    CLIENT_CREDENTIALS_USE, /* a client's user and password are who we are on the connections for it, and on those alone */
    CLIENT_CREDENTIALS_PASS, /* it is passed on, the client's connection is pinned to one upstream connection,
                                and we answer nothing ourselves */
};

enum gateway_identity {
    GATEWAY_IDENTITY_SHARED,   /* upstream's own */
    GATEWAY_IDENTITY_PER_USER, /* that of the user who came in, on connections that nobody else uses */
};

enum mutual {
    MUTUAL_TRY,     /* a proof that the proxy gives is checked */
    MUTUAL_REQUIRE, /* and one that gives none gets nothing */
    MUTUAL_OFF,
};

struct config_address {
    char *host; /* name or literal without brackets; NULL for a Unix socket */
    uint16_t port;
    char *path; /* Unix socket; NULL otherwise */
    char *text; /* as written */
    bool tls;   /* https:// */
};

/* A fixed tunnel: whoever connects to one of these addresses is connected to the target. */
struct config_forward {
    char *name;                    /* first, as in every section that has one (config/named.c) */
    struct config_address *listen; /* at least one */
    size_t n_listen;
    struct config_address target; /* host and port */
};

/* Addresses that have their first bits in common; one alone has all of them. */
struct config_network {
    int family; /* AF_INET, AF_INET6 */
    unsigned char address[16];
    unsigned prefix; /* bits */
    char *text;      /* as written */
};

/* Who may come from beyond this machine. */
struct config_client {
    char *name;                     /* first, as in every section that has one (config/named.c) */
    unsigned char token_sha256[32]; /* of the token's text; the token itself never stands here */
    struct config_network *from;    /* none: anywhere in listen's allow */
    size_t n_from;
};

/* The hashes of Digest (RFC 7616 section 6.1). */
enum digest_hash { HASH_SHA256, HASH_MD5, HASH_SHA512_256, DIGEST_HASHES };

/* Whose proof of who it is goes with an answer to a client, where its scheme has one (Negotiate's last token, Digest's rspauth). */
enum gateway_mutual {
    GATEWAY_MUTUAL_NO,   /* nobody's */
    GATEWAY_MUTUAL_YES,  /* ours */
    GATEWAY_MUTUAL_PASS, /* the next proxy's, which sees the client's own credentials (pass_authorization) */
};

/* Where clients have to authenticate before they are served ([gateway], [gateway NAME]). A named one has the values of [gateway] where it says nothing. */
struct config_gateway {
    char *
        section; /* the name in brackets, "" for [gateway]; first, as in every section that has one (config/named.c) */
    char *name;                    /* the same, but "gateway" for [gateway] */
    struct config_address *listen; /* may be none: the section only says what the others have */
    size_t n_listen;
    struct config_network *allow; /* none: only this machine */
    size_t n_allow;
    enum auth_scheme auth[AUTH_SCHEMES];    /* what is offered, in this order */
    size_t n_auth;                          /* at least one where there is a listener */
    enum digest_hash digest[DIGEST_HASHES]; /* what its challenges for Digest offer, in this order */
    size_t n_digest;                        /* at least one */
    char *keytab;                           /* NULL: Kerberos' own default */
    char *users;                            /* a file in the forms of htpasswd and htdigest; NULL: none */
    char *realm;
    char *domain;      /* NTLM's, and of a user written without one; NULL: none */
    bool winbind;      /* NTLM's answers are checked by winbind, not against `users` */
    char *certificate; /* PEM file, for https:// listeners; NULL: none */
    char *key;         /* PEM file; NULL: it stands in the certificate's */
    enum gateway_mutual mutual;
    bool pass_authorization;          /* Proxy-Authorization stays on the request */
    unsigned connections;             /* of all clients at once */
    unsigned connections_per_address; /* at once; 0: no limit but that */
    unsigned requests_per_second;     /* of a user, or of an address before it is one; 0: no limit */
    unsigned head_timeout;            /* seconds for a request's head */
    unsigned idle_timeout;            /* seconds without a request */
    unsigned tunnel_idle;             /* seconds without a byte in a tunnel; 0: no limit */
    enum gateway_identity identity;   /* with which requests go on to an upstream that has credentials */
};

enum header_edit { HEADER_SET, HEADER_ADD, HEADER_REMOVE };

/* A change to the fields of requests. */
struct config_header {
    enum header_edit edit;
    char *pattern; /* as written: which destinations; NULL: `upstream` says which */
    char *upstream;
    char *name, *value; /* value NULL: HEADER_REMOVE */
};

struct config_user {
    uid_t uid;
    char *text; /* as written: self, root, a name, a number */
};

struct config_proxy {
    char *host;
    uint16_t port;
    bool tls;   /* https:// */
    bool socks; /* socks5:// */
    char *text;
};

struct config_pin {
    unsigned char sha256[32]; /* of the SubjectPublicKeyInfo (RFC 7469 section 2.4) */
};

#define CONFIG_VIA_MOST 4 /* upstreams through which a proxy may be reached, one through the other */

struct config_upstream {
    char *name;
    struct config_proxy *proxies; /* in order */
    size_t n_proxies;
    struct pattern *hosts; /* proxies that a PAC script names and that this identity may meet too */
    size_t n_hosts;
    enum auth_scheme auth[AUTH_SCHEMES]; /* what may be answered, best first; basic only where it was named */
    size_t n_auth;                       /* 0: auth = none, we answer nothing */
    bool basic_in_clear;                 /* Basic may go to a proxy without TLS that is not on this machine */
    char *user;                          /* NULL: the ticket's own principal */
    enum secret_source secret;
    char *secret_argument;
    enum kerberos_source kerberos;
    char *spn; /* NULL: HTTP/host */
    enum canonicalize canonicalize;
    bool delegate; /* the proxy gets a ticket of ours, to act with */
    enum mutual mutual;
    unsigned wait_for_password; /* seconds that a CONNECT waits for a new one; 0: it fails at once */
    char *ca; /* PEM file of the authorities that may vouch for an https:// proxy; NULL: the system's */
    struct config_pin *pins; /* one of these keys, besides a good chain; none: any key */
    size_t n_pins;
    char *certificate; /* PEM file: who we are to an https:// proxy; NULL: nobody */
    char *key;         /* PEM file; NULL: it stands in the certificate's */
    enum client_credentials client_credentials;
    char *via;           /* the upstream through which these proxies are reached; NULL: straight */
    bool connect_always; /* plain http too goes through tunnels (CONNECT) */
    bool
        pass_authorization; /* a client's own Proxy-Authorization stays on the request; only with auth = none */
    char **no_auth;         /* destinations that get no credentials of ours */
    size_t n_no_auth;
    char *domain;            /* of a user written without one; NULL: none */
    char *workstation;       /* what NTLM calls this computer; NULL: its host name */
    unsigned connections;    /* most at once per proxy */
    unsigned spares;         /* of these made ready ahead of need, at most; 0: none */
    unsigned dial_timeout;   /* seconds */
    unsigned answer_timeout; /* seconds until the head of an answer; 0: no limit */
    unsigned line;           /* of the section's header, for messages; 0: from the environment */
};

enum config_way { WAY_UPSTREAM, WAY_DIRECT, WAY_BLOCK };

struct config_rule {
    char *pattern; /* as written: which destinations */
    char *goal;    /* as written: the name of an [upstream], direct or block */
    enum config_way way;
};

enum log_format {
    LOG_FORMAT_PLAIN,  /* for people, like the other lines of the log */
    LOG_FORMAT_COMMON, /* NCSA's, as web servers write it, with some fields behind */
    LOG_FORMAT_JSON,   /* an object per line */
};

enum when_unreachable { UNREACHABLE_FAIL, UNREACHABLE_DIRECT };

enum when_off { OFF_DIRECT, OFF_REFUSE };

enum config_pac {
    PAC_FROM_NOWHERE,
    PAC_FROM_URL,    /* place: http: or https:, without user and password */
    PAC_FROM_FILE,   /* place: absolute path */
    PAC_FROM_SYSTEM, /* what the desktop's settings say, or the environment */
};

/* What a request does when the PAC script fails, or cannot be had. */
enum pac_policy {
    PAC_FAILURE_LAST_GOOD, /* what the script said last for it; where it said nothing yet, the first upstream */
    PAC_FAILURE_BLOCK,
    PAC_FAILURE_DIRECT,
};

enum config_wpad {
    WPAD_NO,
    WPAD_DNS, /* where `pac` is not set, or the desktop's settings ask for WPAD */
};

struct config {
    int refs;
    char *file;                    /* NULL: from the environment */
    struct config_address *listen; /* where we are an HTTP proxy */
    size_t n_listen;
    struct config_address *socks; /* where we are a SOCKS proxy; may be none */
    size_t n_socks;
    struct config_forward *forwards;
    size_t n_forwards;
    struct config_user *allow_uids; /* whose programs may use the relay */
    size_t n_allow_uids;
    bool allow_any;               /* everybody's; allow_uids is empty then */
    struct config_network *allow; /* who may reach listeners beyond loopback, with a token; else nobody */
    size_t n_allow;
    struct config_client *clients;
    size_t n_clients;
    struct config_gateway *gateways; /* those without listeners too */
    size_t n_gateways;
    size_t max_head;                   /* bytes */
    struct config_upstream *upstreams; /* at least one */
    size_t n_upstreams;
    char **no_proxy;
    size_t n_no_proxy;
    struct config_rule *rules; /* in order; each names an upstream that exists */
    size_t n_rules;
    enum config_pac pac; /* where the PAC script comes from */
    char *pac_place;     /* NULL where there is none */
    enum config_wpad wpad;
    enum pac_policy pac_failure;
    enum when_unreachable when_unreachable; /* what happens when no proxy of an upstream can be reached */
    enum when_off when_off;                 /* what happens to requests after exeat off */
    struct config_header *headers;          /* each kind of edit in the order of the file */
    size_t n_headers;
    enum log_level log_level;
    bool log_requests;
    enum log_format log_format;     /* of the lines about requests */
    char *log_file;                 /* where these go; NULL: with the rest of the log */
    struct config_address *metrics; /* where figures are served; may be nowhere */
    size_t n_metrics;
    unsigned drain;       /* seconds that running requests get when the agent stops */
    unsigned tunnel_idle; /* seconds without a byte in a tunnel, but for gateways'; 0: no limit */
};

/* `path` NULL: $XDG_CONFIG_HOME/exeat/exeat.conf (default ~/.config), else /etc/exeat/exeat.conf, else the
   environment (EXEAT_UPSTREAM, then https_proxy, HTTPS_PROXY, http_proxy, HTTP_PROXY; never a proxy that is
   one of our own listeners; a user and password inside the URL are refused with a sentence; the upstream's
   name is then "default", and no_proxy, NO_PROXY give its exceptions). NULL with *e when there is nothing or
   something is wrong (*e may be of several lines then). The caller owns one reference. */
struct config *config_load(const char *path, struct err *e);
/* The same from a text; `name` is for messages. It cannot include files. */
struct config *config_load_text(const char *name, struct span text, struct err *e);
struct config *config_ref(struct config *c);
void config_unref(struct config *c);

/* "key = value  # where it came from", section by section, into `out`: what run --print-config shows. */
struct buf;
void config_print(const struct config *c, struct buf *out);
/* The annotated sample, exeat.conf beside this file: each setting with its help and default. */
void config_print_sample(struct buf *out);

/* What differs from `before` to `after`, a line each ("[route] no-proxy: A -> B"), into `out`; returns how many lines. */
size_t config_diff(const struct config *before, const struct config *after, struct buf *out);

/* The gateway of that name ("gateway" for [gateway]), or NULL. */
const struct config_gateway *config_gateway_named(const struct config *c, struct span name);
/* The upstream of that name, or NULL. */
const struct config_upstream *config_upstream_named(const struct config *c, struct span name);

/* Is one of its proxies at this place (without brackets)? */
bool config_upstream_has(const struct config_upstream *u, struct span host, uint16_t port);
/* May the upstream's identity be shown to a proxy at this place (without brackets)? Its own proxies, and those of `hosts`. Where credentials
   go is for the keyholder to decide by this. */
bool config_upstream_meets(const struct config_upstream *u, struct span host, uint16_t port);

/* Nobody on the way can read what is said to it: TLS, or a loopback address (the name localhost among them, but no other name: where
   names lead is the network's word). */
bool config_proxy_is_private(const struct config_proxy *p);

/* Not only this machine can reach it. */
bool config_address_is_beyond(const struct config_address *a);
struct sockaddr;
/* IPv4 in an IPv6 address (::ffff:192.0.2.1) counts as IPv4. */
bool config_networks_hold(const struct config_network *list, size_t n, const struct sockaddr *address);

const char *auth_scheme_name(enum auth_scheme scheme); /* "negotiate" */
const char *secret_source_name(enum secret_source source);
bool secret_source_is_keyring(enum secret_source source); /* a login's secret is stored there */
/* Where the user stands in the path of file: and the name of credential:, and in which variable command: finds it. */
#define SECRET_USER          "%u"
#define SECRET_USER_VARIABLE "EXEAT_USER"
/* Does it have another secret for each user, or what does as well? `argument` as in struct config_upstream. */
bool secret_tells_users(enum secret_source source, const char *argument);

/* $XDG_RUNTIME_DIR/exeat (else /run/user/UID/exeat, else /tmp/exeat-UID), made with mode 0700 and checked to
   be ours alone. NULL with *e: neither can be had. The caller frees. */
char *config_runtime_dir(struct err *e);
/* $XDG_STATE_HOME/exeat (else ~/.local/state/exeat), made with mode 0700. */
char *config_state_dir(struct err *e);

#endif
