/*
 * The table of settings and the search in it. A new setting is a row here and a field in struct config
 * (config.h); parser, sample and
 * --print-config follow. Static data, any thread.
 */
#include "config/keys.h"

#include "base/nearest.h"
#include "config/config.h"
#include "config/kinds.h"

const struct section sections[] = {
    {"listen", false, .help = "Where programs on this machine reach the agent."},
    {"upstream", true,
     .help = "A proxy of your organisation and who you are to it. NAME is yours to choose; \"exeat login "
             "NAME\" uses "
             "it.",
     .example = "corp"},
    {"route", false, .help = "Which way requests go."},
    {"forward", true,
     .help = "A fixed tunnel, for programs that know nothing of proxies (ssh, databases). NAME is yours to "
             "choose; any number of them.",
     .example = "ssh", .optional = true},
    {"headers", false,
     .help = "Changes to the fields of requests on their way up: plain http requests, and CONNECT as proxies "
             "see it. First remove, then set, then add."},
    {"client", true,
     .help = "Somebody beyond this machine (a container, a virtual machine) who may use the agent, by a "
             "token. \"exeat token NAME\" makes one. NAME is yours to choose; any number of them.",
     .example = "builder", .optional = true},
    {"gateway", true, .general = true,
     .help = "Where other machines (or other users of this one) reach the agent, once they have "
             "authenticated. [gateway] holds for all of them; any number of [gateway NAME] with a listen of "
             "their own have its values where they say nothing.",
     .optional = true},
    {"log", false, .help = "What is written to the log (standard error, or the journal)."},
};
const size_t n_sections = sizeof sections / sizeof *sections;

static const char *const level_choices[] = {"error", "warning", "info", "debug", NULL};
static const char *const format_choices[] = {"plain", "common", "json", NULL};
static const char *const when_unreachable_choices[] = {"fail", "direct", NULL};
static const char *const pac_failure_choices[] = {"last-good", "block", "direct", NULL};
static const char *const when_off_choices[] = {"direct", "refuse", NULL};
static const char *const wpad_choices[] = {"no", "dns", NULL};
static const char *const kerberos_choices[] = {"find", "acquire", NULL};
static const char *const canonicalize_choices[] = {"system", "yes", "no", NULL};
static const char *const client_credentials_choices[] = {"drop", "use", "pass", NULL};
static const char *const gateway_identity_choices[] = {"shared", "per-user", NULL};
static const char *const mutual_choices[] = {"try", "require", "off", NULL};
static const char *const gateway_mutual_choices[] = {"no", "yes", "pass", NULL};

#define IN_CONFIG(field)   .at = offsetof(struct config, field)
#define IN_UPSTREAM(field) .at = offsetof(struct config_upstream, field)
#define IN_FORWARD(field)  .at = offsetof(struct config_forward, field)
#define IN_CLIENT(field)   .at = offsetof(struct config_client, field)
#define IN_GATEWAY(field)  .at = offsetof(struct config_gateway, field)
#define ALSO(type, field)  .also_at = offsetof(struct type, field)

const struct setting settings[] = {
    {"listen", "http", &kind_open_addresses, .fallback = "127.0.0.1:3128 [::1]:3128", IN_CONFIG(listen),
     ALSO(config, n_listen), .least = 1,
     .help = "Addresses where the agent is an HTTP proxy; port 0 takes a free one."},
    {"listen", "socks", &kind_addresses, .fallback = "none", .example = "127.0.0.1:1080", IN_CONFIG(socks),
     ALSO(config, n_socks),
     .help =
         "Addresses where the agent is a SOCKS proxy (5, 4a, 4). A user and password that a program sends "
         "there mean nothing, but for client-credentials = use."},
    {"listen", "allow-uids", &kind_users, .fallback = "self root",
     .help = "Whose programs may use the agent; self is whoever runs it. apt downloads as the user _apt."},
    {"listen", "allow", &kind_networks, .fallback = "", .example = "172.17.0.0/16", IN_CONFIG(allow),
     ALSO(config, n_allow),
     .help = "Networks from which the clients of [client NAME] may come to an http address that is not this "
             "machine's alone, like 172.17.0.1:3128."},
    {"listen", "max-head", &kind_size, .fallback = "256K", IN_CONFIG(max_head), .least = 4096,
     .most = 1 << 20,
     .help = "The largest head (first line and fields) of a request or an answer that may pass."},
    {"listen", "metrics", &kind_addresses, .fallback = "none", .example = "127.0.0.1:3129",
     IN_CONFIG(metrics), ALSO(config, n_metrics),
     .help = "Addresses where figures for a monitoring system are served, at /metrics (OpenMetrics)."},
    {"listen", "drain", &kind_duration, .fallback = "5s", IN_CONFIG(drain), .most = 300,
     .help = "How long running requests and open tunnels may go on when the agent is told to stop; 0 is not "
             "at all."},
    {"listen", "tunnel-idle", &kind_duration, .fallback = "24h", IN_CONFIG(tunnel_idle), .most = 2592000,
     .help =
         "How long a tunnel (https, a WebSocket, SOCKS, [forward NAME]) may be open without a byte either "
         "way; 0 is no limit. Gateways have their own."},

    {"upstream", "proxy", &kind_proxies, .required = true, .example = "http://proxy.corp.example:8080",
     IN_UPSTREAM(proxies), ALSO(config_upstream, n_proxies),
     .help = "The proxy, or a SOCKS5 server; several are tried in this order."},
    {"upstream", "hosts", &kind_patterns, .absent = "none but those of proxy",
     .example = ".proxy.corp.example", IN_UPSTREAM(hosts), ALSO(config_upstream, n_hosts),
     .help =
         "Further proxies that this identity may meet where a PAC script names them: hosts, .suffixes and "
         "networks, with :port if wanted. A proxy that no upstream names gets no credentials."},
    {"upstream", "auth", &kind_schemes, .fallback = "negotiate ntlm digest", IN_UPSTREAM(auth),
     ALSO(config_upstream, n_auth),
     .help = "Schemes that may be answered, best first. Basic sends the password itself: only where it is "
             "named here."},
    {"upstream", "basic-in-clear", &kind_yes_no, .fallback = "no", IN_UPSTREAM(basic_in_clear),
     .help = "Basic, where it is named, may go in clear text to a proxy on another machine: everybody on the "
             "way can read the password."},
    {"upstream", "user", &kind_text, .absent = "the Kerberos ticket's own principal",
     .example = "CORP\\alice", IN_UPSTREAM(user),
     .help = "Who you are to the proxy: CORP\\alice, alice@CORP.EXAMPLE or alice."},
    {"upstream", "domain", &kind_text, .absent = "none is added", .example = "CORP", IN_UPSTREAM(domain),
     .help = "The domain of a user that is written without one, for NTLM and Kerberos."},
    {"upstream", "workstation", &kind_text, .absent = "this computer's host name", .example = "DESK42",
     IN_UPSTREAM(workstation), .help = "What NTLM calls this computer, where a directory insists on a name."},
    {"upstream", "secret", &kind_secret, .fallback = "keyring", IN_UPSTREAM(secret),
     ALSO(config_upstream, secret_argument),
     .help = "Where the password or key comes from. The password itself never stands here. %u in the path of "
             "file: or the name of credential:, and EXEAT_USER in the environment of command:, is the user."},
    {"upstream", "kerberos", &kind_choice, .fallback = "find", IN_UPSTREAM(kerberos),
     .choices = kerberos_choices,
     .help =
         "Find uses the Kerberos tickets that are there (kinit); acquire gets one with the password where "
         "there is none."},
    {"upstream", "spn", &kind_text, .absent = "HTTP/ and the proxy's host name",
     .example = "HTTP/proxy.corp.example", IN_UPSTREAM(spn),
     .help = "The Kerberos service name of the proxy."},
    {"upstream", "canonicalize", &kind_choice, .fallback = "system", IN_UPSTREAM(canonicalize),
     .choices = canonicalize_choices,
     .help = "Whether an alias (CNAME) of the proxy's name is followed for its service name; system: as "
             "krb5.conf says."},
    {"upstream", "delegate", &kind_yes_no, .fallback = "no", IN_UPSTREAM(delegate),
     .help = "Whether the proxy gets a Kerberos ticket with which it can act as you."},
    {"upstream", "mutual", &kind_choice, .fallback = "try", IN_UPSTREAM(mutual), .choices = mutual_choices,
     .help = "Whether a proxy that takes a Kerberos ticket has to prove who it is in return: try checks the "
             "proof if it sends one, require lets nothing through without (and answers Kerberos alone), off "
             "asks for none."},
    {"upstream", "wait-for-password", &kind_duration, .fallback = "0", IN_UPSTREAM(wait_for_password),
     .most = 3600,
     .help = "How long a CONNECT is kept waiting for exeat login when the password is missing or was "
             "refused; 0 is not at all: it fails at once and says what to do."},
    {"upstream", "ca", &kind_path, .absent = "those that this machine trusts",
     .example = "/etc/ssl/corp-ca.pem", IN_UPSTREAM(ca),
     .help = "Certificates (PEM) that may vouch for an https:// proxy: your organisation's authority, or the "
             "proxy's own."},
    {"upstream", "pin", &kind_pins, .absent = "any key that a good certificate names",
     .example = "W6ph5Mm5Pz8GgiULbPgzG37mj9g+sHwqKxhU6RhRrTA=", IN_UPSTREAM(pins),
     ALSO(config_upstream, n_pins),
     .help = "The key that an https:// proxy must have besides a good certificate; name the next one too "
             "before it changes."},
    {"upstream", "certificate", &kind_path, .absent = "none is shown", .example = "~/.config/exeat/me.pem",
     IN_UPSTREAM(certificate),
     .help = "Our own certificate (PEM, with its chain) for an https:// proxy that asks for one."},
    {"upstream", "key", &kind_path, .absent = "it stands in the certificate's file",
     .example = "~/.config/exeat/me.key", IN_UPSTREAM(key),
     .help = "The certificate's key (PEM, without a passphrase)."},
    {"upstream", "client-credentials", &kind_choice, .fallback = "drop", IN_UPSTREAM(client_credentials),
     .choices = client_credentials_choices,
     .help =
         "What a program's own user and password for the proxy mean: drop forgets them; use makes them who "
         "we are on connections of its own, and asks programs that send none (407); pass leaves it to the "
         "program to authenticate, with NTLM and Kerberos too."},
    {"upstream", "pass-authorization", &kind_yes_no, .fallback = "no", IN_UPSTREAM(pass_authorization),
     .help = "Whether a program's own Proxy-Authorization field stays on its requests, for proxies of one "
             "administration that share credentials; with auth = none only, since there is room for one."},
    {"upstream", "no-auth", &kind_destinations, .fallback = "", .example = "updates.example .cdn.example",
     IN_UPSTREAM(no_auth), ALSO(config_upstream, n_no_auth),
     .help =
         "Destinations (patterns as in rule) whose requests go to this proxy without credentials, because it "
         "exempts them."},
    {"upstream", "connections", &kind_count, .fallback = "64", IN_UPSTREAM(connections), .least = 1,
     .most = 10000, .help = "Connections to each proxy at once, at most."},
    {"upstream", "spares", &kind_count, .fallback = "2", IN_UPSTREAM(spares), .most = 16,
     .help =
         "Connections to each proxy that are made ready ahead of need while tunnels (https) are being "
         "opened, at most; 0 turns this off. Each keeps a helper of an NTLM proxy busy for some seconds."},
    {"upstream", "dial-timeout", &kind_duration, .fallback = "10s", IN_UPSTREAM(dial_timeout), .least = 1,
     .most = 3600, .help = "How long connecting to a proxy may take."},
    {"upstream", "answer-timeout", &kind_duration, .fallback = "5m", IN_UPSTREAM(answer_timeout),
     .most = 86400, .help = "How long a proxy may take until the head of its answer is here; 0 is no limit."},
    {"upstream", "via", &kind_text, .absent = "they are reached straight", .example = "gate",
     IN_UPSTREAM(via),
     .help = "The name of the upstream through which these proxies are reached: each connection to them is a "
             "tunnel of that one, which authenticates us by its own section."},
    {"upstream", "connect-always", &kind_yes_no, .fallback = "no", IN_UPSTREAM(connect_always),
     .help = "Requests for http:// addresses go through tunnels too (CONNECT), as those for https:// do, so "
             "that the proxy does not see or change them."},

    {"route", "no-proxy", &kind_destinations, .fallback = "",
     .example = "localhost 127.0.0.0/8 .internal.example", IN_CONFIG(no_proxy), ALSO(config, n_no_proxy),
     .help = "Hosts, .suffixes and networks, separated by blanks, that are reached without a proxy."},

    {"route", "rule", &kind_rules, .absent = "all else goes to the first upstream", .repeats = true,
     .example = "*.lab.example direct",
     .help = "Where destinations go that no-proxy does not name; the first rule that matches decides."},
    {"route", "pac", &kind_pac, .absent = "no PAC script is used",
     .example = "http://wpad.corp.example/proxy.pac", IN_CONFIG(pac), ALSO(config, pac_place),
     .help = "Where the PAC script comes from that says which way requests go. It is fetched directly and "
             "without "
             "credentials; system is what the desktop's settings (GNOME, KDE) or the environment name."},
    {"route", "wpad", &kind_choice, .fallback = "no", IN_CONFIG(wpad), .choices = wpad_choices,
     .help =
         "Whether the PAC script is looked for at http://wpad.DOMAIN/wpad.dat where pac is not set or the "
         "desktop asks for it. Whoever controls the network's DNS then says which way requests go."},
    {"route", "pac-failure", &kind_choice, .fallback = "last-good", IN_CONFIG(pac_failure),
     .choices = pac_failure_choices,
     .help = "What a request does when the PAC script fails or cannot be had: last-good is what the script "
             "said last for it, and the first upstream where it said nothing yet; block is an error; direct "
             "is past all proxies."},
    {"route", "when-unreachable", &kind_choice, .fallback = "fail", IN_CONFIG(when_unreachable),
     .choices = when_unreachable_choices,
     .help = "While no proxy of an upstream can be reached, requests fail, or go direct until one answers "
             "again."},
    {"route", "when-off", &kind_choice, .fallback = "direct", IN_CONFIG(when_off),
     .choices = when_off_choices,
     .help = "After exeat off, requests go direct or are refused, until exeat on."},

    {"forward", "listen", &kind_addresses, .required = true, .example = "127.0.0.1:2222", IN_FORWARD(listen),
     ALSO(config_forward, n_listen), .least = 1, .help = "Whoever connects here is connected to the target."},
    {"forward", "target", &kind_target, .required = true, .example = "git.example.com:22", IN_FORWARD(target),
     .help = "Where the tunnel leads to."},

    {"headers", "set", &kind_headers, .absent = "every field goes as it came", .repeats = true,
     .example = "* User-Agent: curl/8.0",
     .help = "A field that takes the place of those of that name; of several for one name the first that "
             "fits."},
    {"headers", "add", &kind_headers, .absent = "none", .repeats = true,
     .example = "upstream:corp X-Site: north", .help = "One more field, whatever is there."},
    {"headers", "remove", &kind_headers, .absent = "none", .repeats = true, .example = ".example.com Referer",
     .help = "All fields of that name."},

    {"client", "token", &kind_token, .required = true,
     .example = "sha256:f31bb9a71f3b9edf6c5a1fd9f603b402e3594bdb5c9b32b670fee7461b9e83c5",
     IN_CLIENT(token_sha256), .help = "The hash of the client's token, as exeat token prints it."},
    {"client", "from", &kind_networks, .absent = "all that [listen] allow names", .example = "172.17.0.5",
     IN_CLIENT(from), ALSO(config_client, n_from), .help = "Where this client comes from."},

    {"gateway", "listen", &kind_gateway_addresses, .fallback = "none", .example = "192.0.2.1:3128",
     IN_GATEWAY(listen), ALSO(config_gateway, n_listen), .own = true,
     .help = "Addresses where clients have to authenticate; with https:// in front, over TLS."},
    {"gateway", "allow", &kind_networks, .absent = "this machine alone", .example = "192.0.2.0/24",
     IN_GATEWAY(allow), ALSO(config_gateway, n_allow), .help = "Networks from which they may come."},
    {"gateway", "auth", &kind_schemes, .fallback = "none", .example = "negotiate ntlm digest basic",
     IN_GATEWAY(auth), ALSO(config_gateway, n_auth),
     .help = "How they may show who they are, in the order in which it is offered. A gateway that listens "
             "names at least one."},
    {"gateway", "digest", &kind_hashes, .fallback = "sha-256 md5", .example = "md5 sha-256",
     IN_GATEWAY(digest), ALSO(config_gateway, n_digest),
     .help =
         "The hashes that digest offers, in this order: sha-256, md5, sha-512-256. Some programs take the "
         "first, or know md5 alone."},
    {"gateway", "keytab", &kind_path, .absent = "this machine's own (/etc/krb5.keytab)",
     .example = "/etc/exeat/http.keytab", IN_GATEWAY(keytab),
     .help = "Kerberos keys of HTTP/ and the name by which clients reach the gateway, for negotiate."},
    {"gateway", "users", &kind_path, .absent = "none", .example = "/etc/exeat/users", IN_GATEWAY(users),
     .help = "Names and hashes of passwords for basic, digest and ntlm, as htpasswd and htdigest write them; "
             "exeat users keeps such a file."},
    {"gateway", "realm", &kind_text, .fallback = "exeat", IN_GATEWAY(realm),
     .help = "What programs show beside the question for a password; in Digest's hashes."},
    {"gateway", "domain", &kind_text, .absent = "none", .example = "CORP", IN_GATEWAY(domain),
     .help = "The domain of a user written without one, and what NTLM calls ours."},
    {"gateway", "winbind", &kind_yes_no, .fallback = "no", IN_GATEWAY(winbind),
     .help = "Whether the domain that this machine has joined checks NTLM's answers, by winbind."},
    {"gateway", "identity", &kind_choice, .fallback = "shared", IN_GATEWAY(identity),
     .choices = gateway_identity_choices,
     .help =
         "Who their requests are to the proxies that ask: shared, the identity of that [upstream NAME]; or "
         "per-user, each user that came in, with a ticket or secret of that user's own."},
    {"gateway", "certificate", &kind_path, .absent = "nothing may listen on https://",
     .example = "/etc/exeat/gateway.pem", IN_GATEWAY(certificate),
     .help = "Our certificate (PEM, with its chain) for https:// addresses."},
    {"gateway", "key", &kind_path, .absent = "it stands in the certificate's file",
     .example = "/etc/exeat/gateway.key", IN_GATEWAY(key),
     .help = "The certificate's key (PEM, without a passphrase)."},
    {"gateway", "mutual", &kind_choice, .fallback = "yes", IN_GATEWAY(mutual),
     .choices = gateway_mutual_choices,
     .help =
         "Whether an answer carries the proof of who we are, where the client's scheme has one; pass: the "
         "next proxy's in its place, where pass-authorization leaves it the client's credentials."},
    {"gateway", "pass-authorization", &kind_yes_no, .fallback = "no", IN_GATEWAY(pass_authorization),
     .help = "Whether the Proxy-Authorization field stays on requests that were let in; for upstreams of the "
             "same administration that share credentials, whose section says the same."},
    {"gateway", "connections", &kind_count, .fallback = "1000", IN_GATEWAY(connections), .least = 1,
     .most = 1000000, .help = "Connections of clients at once, at most."},
    {"gateway", "connections-per-address", &kind_count, .fallback = "200",
     IN_GATEWAY(connections_per_address), .most = 1000000,
     .help = "Of one address, or one IPv6 network of 64 bits; 0 is no limit."},
    {"gateway", "requests-per-second", &kind_count, .fallback = "500", IN_GATEWAY(requests_per_second),
     .most = 1000000,
     .help = "Of one user, and of one address that has not authenticated; twice as many for a moment. 0 is "
             "no limit."},
    {"gateway", "head-timeout", &kind_duration, .fallback = "30s", IN_GATEWAY(head_timeout), .least = 1,
     .most = 3600,
     .help = "How long the head of a request may take to come, and the body of one that is not let in."},
    {"gateway", "idle-timeout", &kind_duration, .fallback = "5m", IN_GATEWAY(idle_timeout), .least = 1,
     .most = 86400,
     .help = "How long a connection may be open with nothing under way, or a client keep us waiting with the "
             "rest of a body, or with an answer that it does not take."},
    {"gateway", "tunnel-idle", &kind_duration, .fallback = "4h", IN_GATEWAY(tunnel_idle), .most = 2592000,
     .help = "How long a client's tunnel may be open without a byte either way; 0 is no limit."},

    {"log", "level", &kind_choice, .fallback = "info", IN_CONFIG(log_level), .choices = level_choices,
     .help = "How much is logged."},
    {"log", "requests", &kind_yes_no, .fallback = "yes", IN_CONFIG(log_requests),
     .help = "A line for each request."},
    {"log", "file", &kind_path, .absent = "they stand with the rest of the log",
     .example = "~/.local/state/exeat/log/requests", IN_CONFIG(log_file),
     .help = "Where the lines about requests go; opened again at a reload. Its directory must be there: best "
             "one of its own, for the agent may write files in it."},
    {"log", "format", &kind_choice, .fallback = "plain", IN_CONFIG(log_format), .choices = format_choices,
     .help = "How the lines about requests look: for people, as web servers write them, or one JSON object "
             "each."},
};
const size_t n_settings = sizeof settings / sizeof *settings;
_Static_assert(sizeof settings / sizeof *settings <= SETTINGS_MAX, "raise SETTINGS_MAX");
_Static_assert(sizeof sections / sizeof *sections <= SECTIONS_MAX, "raise SECTIONS_MAX");

const struct section *section_find(struct span name)
{
    for (size_t i = 0; i < n_sections; i++)
        if (span_eq(name, span_str(sections[i].name)))
            return &sections[i];
    return NULL;
}

const struct setting *setting_find(const struct section *section, struct span name)
{
    for (size_t i = 0; i < n_settings; i++)
        if (strcmp(settings[i].section, section->name) == 0 && span_eq(name, span_str(settings[i].name)))
            return &settings[i];
    return NULL;
}

void section_title(const struct section *section, struct buf *out)
{
    if (section->general)
        buf_addf(out, "[%s], ", section->name);
    buf_addf(out, "[%s%s]", section->name, section->named ? " NAME" : "");
}

bool section_unknown(struct span name, struct err *e)
{
    struct nearest near;
    nearest_begin(&near, name);
    for (size_t i = 0; i < n_sections; i++)
        nearest_offer(&near, sections[i].name);
    if (near.name)
        return err_set(e, ERR_CONFIG, "unknown section %s; did you mean \"%s\"?", shown(name).text,
                       near.name);
    struct buf known;
    buf_init(&known, 0);
    for (size_t i = 0; i < n_sections; i++) {
        buf_add_str(&known, i ? ", " : "");
        section_title(&sections[i], &known);
    }
    err_set(e, ERR_CONFIG, "unknown section %s; there are %s", shown(name).text, buf_cstr(&known));
    buf_free(&known);
    return false;
}

/* Another section that has a setting of this name, or NULL. */
static const char *section_of(struct span name)
{
    for (size_t i = 0; i < n_settings; i++)
        if (span_eq(name, span_str(settings[i].name)))
            return settings[i].section;
    return NULL;
}

bool setting_unknown(const struct section *section, struct span section_name, struct span name, struct err *e)
{
    struct buf text;
    buf_init(&text, 0);
    buf_addf(&text, "unknown key %s in [%s%s%.*s]; ", shown(name).text, section->name,
             section_name.n ? " " : "", (int)(section_name.n > 60 ? 60 : section_name.n),
             section_name.n ? section_name.p : "");
    struct nearest near;
    nearest_begin(&near, name);
    for (size_t i = 0; i < n_settings; i++)
        if (strcmp(settings[i].section, section->name) == 0)
            nearest_offer(&near, settings[i].name);
    if (section_of(name)) {
        buf_addf(&text, "it belongs in [%s]", section_of(name));
    } else if (near.name) {
        buf_addf(&text, "did you mean \"%s\"?", near.name);
    } else {
        const char *before = "there are ";
        for (size_t i = 0; i < n_settings; i++) {
            if (strcmp(settings[i].section, section->name) != 0)
                continue;
            buf_addf(&text, "%s%s", before, settings[i].name);
            before = ", ";
        }
    }
    err_set(e, ERR_CONFIG, "%s", buf_cstr(&text));
    buf_free(&text);
    return false;
}
