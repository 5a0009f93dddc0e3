/*
 * The lock guards what the gate has at hand: users and GSSAPI's credentials. Both are shared by reference, so that a job goes on with what it began with.
 */
#include "keys/gate.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/log.h"

struct gate_inside {
    pthread_mutex_t lock;
    char *users_path, *keytab, *replays;
    struct users *users;
    struct gss_door *kerberos, *ntlm;
    struct err kerberos_error, ntlm_error; /* why there is none */
    struct stat keytab_was;
    bool reached;
    char *said; /* what the log has said of what does not work */
};

struct gate *gate_new(const struct config_gateway *g, const char *replays)
{
    struct gate *gate = mem_zero(sizeof *gate);
    gate->refs = 1;
    gate->name = mem_strdup(g->name);
    gate->realm = mem_strdup(g->realm);
    gate->domain = g->domain && *g->domain ? mem_strdup(g->domain) : NULL;
    memcpy(gate->schemes, g->auth, sizeof gate->schemes);
    gate->n = g->n_auth;
    gate->winbind = g->winbind;
    gate->per_user = g->identity == GATEWAY_IDENTITY_PER_USER;
    gate->memo = accept_memo_new();
    gate->digest = digest_gate_new(gate->realm, g->digest, g->n_digest);
    struct gate_inside *in = gate->inside = mem_zero(sizeof *in);
    pthread_mutex_init(&in->lock, NULL);
    in->users_path = mem_strdup(g->users);
    in->keytab = mem_strdup(g->keytab);
    in->replays = mem_strdup(replays);
    return gate;
}

struct gate *gate_ref(struct gate *g)
{
    g->refs++;
    return g;
}

void gate_unref(struct gate *g)
{
    if (!g || --g->refs)
        return;
    pthread_mutex_destroy(&g->inside->lock);
    users_unref(g->inside->users);
    gss_door_unref(g->inside->kerberos);
    gss_door_unref(g->inside->ntlm);
    free(g->inside->users_path);
    free(g->inside->keytab);
    free(g->inside->replays);
    free(g->inside->said);
    free(g->inside);
    accept_memo_free(g->memo);
    digest_gate_free(g->digest);
    free(g->name);
    free(g->realm);
    free(g->domain);
    free(g);
}

bool gate_means_the_same(const struct gate *a, const struct gate *b)
{
    return a->per_user == b->per_user && span_eq(span_str(a->domain), span_str(b->domain));
}

bool gate_offers(const struct gate *g, enum auth_scheme scheme)
{
    for (size_t i = 0; i < g->n; i++)
        if (g->schemes[i] == scheme)
            return true;
    return false;
}

/* A file that cannot be read or trusted any more lets nobody in, whatever it said before. */
static void reach_users(struct gate_inside *in, struct err *e)
{
    if (!in->users_path || (in->users && !users_changed(in->users, in->users_path)))
        return;
    users_unref(in->users);
    in->users = users_read(in->users_path, e);
}

/* What stat(2) says of the keytab; all zero: nothing. */
static struct stat look_at_keytab(const char *keytab)
{
    const char *given = keytab ? keytab : getenv("KRB5_KTNAME"), *path = given ? given : "/etc/krb5.keytab";
    struct stat st;
    if (strncmp(path, "FILE:", 5) == 0)
        path += 5;
    return stat(path, &st) == 0 ? st : (struct stat){0};
}

static bool same_file(const struct stat *a, const struct stat *b)
{
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
           a->st_mode == b->st_mode && a->st_mtim.tv_sec == b->st_mtim.tv_sec &&
           a->st_mtim.tv_nsec == b->st_mtim.tv_nsec && a->st_ctim.tv_sec == b->st_ctim.tv_sec &&
           a->st_ctim.tv_nsec == b->st_ctim.tv_nsec;
}

/* The libraries lose a little memory with some credentials, those that cannot be had among them: each is asked for once, and for another keytab. */
static void reach_doors(struct gate *g, struct gate_inside *in)
{
    struct gss_door_wish wish = {.negotiate = gate_offers(g, AUTH_NEGOTIATE),
                                 .keytab = in->keytab,
                                 .replays = in->replays,
                                 .domain = g->domain,
                                 .takes_tickets = g->per_user};
    if (gate_offers(g, AUTH_NTLM) && !in->reached)
        in->ntlm = gss_door_new(&wish, &in->ntlm_error);
    if (gate_offers(g, AUTH_NEGOTIATE)) {
        struct stat now = look_at_keytab(in->keytab);
        if (!in->reached || !same_file(&now, &in->keytab_was)) {
            wish.kerberos = true;
            in->kerberos_error = (struct err){0};
            gss_door_unref(in->kerberos);
            in->kerberos = gss_door_new(&wish, &in->kerberos_error);
            in->keytab_was = now;
        }
    }
    in->reached = true;
}

static void add_why(struct gate_hand *hand, const char *why, const char *remedy)
{
    buf_addf(&hand->why, "%s%s", hand->why.n ? "; " : "", why);
    if (!hand->remedy)
        hand->remedy = remedy;
}

#define WITH_USERS "add users with exeat users add"

static void judge_users(struct gate *g, struct gate_hand *hand, const struct err *e)
{
    static const struct {
        enum auth_scheme scheme;
        const char *lacks;
    } rows[] = {{AUTH_NTLM, "no user has a hash for NTLM"},
                {AUTH_DIGEST, "no user has a hash for Digest with this realm, of those that digest = offers"},
                {AUTH_BASIC, "no user has a hash for Basic"}};
    struct span realm = span_str(g->realm);
    const struct users *u = hand->users;
    bool have[AUTH_SCHEMES] = {false};
    have[AUTH_NTLM] = g->winbind || (u && users_have(u, USERS_NT, realm));
    have[AUTH_DIGEST] = u && g->digest && digest_gate_can(g->digest, u);
    have[AUTH_BASIC] = u && users_have(u, USERS_PASSWORD, realm);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (!gate_offers(g, rows[i].scheme))
            continue;
        hand->works[rows[i].scheme] = have[rows[i].scheme];
        if (!have[rows[i].scheme] && !e->text[0])
            add_why(hand, rows[i].lacks, WITH_USERS);
    }
    if (e->text[0])
        add_why(hand, e->text, "mend the file, or say another one in users of this gateway");
}

static void judge_doors(struct gate *g, struct gate_hand *hand, const struct gate_inside *in)
{
    hand->works[AUTH_NTLM] &= hand->ntlm != NULL;
    hand->works[AUTH_NEGOTIATE] =
        gate_offers(g, AUTH_NEGOTIATE) && (hand->kerberos || hand->works[AUTH_NTLM]);
    if (!hand->kerberos && in->kerberos_error.code)
        add_why(hand, in->kerberos_error.text,
                "give the gateway a keytab with keys of HTTP/ and the name by which clients reach it, "
                "readable by exeat");
    if (!hand->ntlm && in->ntlm_error.code)
        add_why(hand, in->ntlm_error.text, "install gss-ntlmssp");
}

/* Once for each state of things, not for each connection. */
static void say(struct gate *g, struct gate_hand *hand)
{
    const char *now = hand->why.n ? buf_cstr(&hand->why) : "";
    if (strcmp(now, g->inside->said ? g->inside->said : "") == 0)
        return;
    if (*now)
        log_warning(NULL, "gateway %s: %s; %s", g->name, now, hand->remedy);
    else
        log_info(NULL, "gateway %s: all its schemes work now", g->name);
    free(g->inside->said);
    g->inside->said = mem_strdup(now);
}

void gate_reach(struct gate *g, struct gate_hand *hand)
{
    struct gate_inside *in = g->inside;
    struct err users_error = {0};
    *hand = (struct gate_hand){0};
    pthread_mutex_lock(&in->lock);
    reach_users(in, &users_error);
    reach_doors(g, in);
    hand->users = in->users ? users_ref(in->users) : NULL;
    hand->kerberos = in->kerberos ? gss_door_ref(in->kerberos) : NULL;
    hand->ntlm = in->ntlm ? gss_door_ref(in->ntlm) : NULL;
    judge_users(g, hand, &users_error);
    judge_doors(g, hand, in);
    for (size_t i = 0; i < AUTH_SCHEMES; i++)
        hand->any |= hand->works[i];
    say(g, hand);
    pthread_mutex_unlock(&in->lock);
}

void gate_hand_free(struct gate_hand *hand)
{
    users_unref(hand->users);
    gss_door_unref(hand->kerberos);
    gss_door_unref(hand->ntlm);
    buf_free(&hand->why);
    *hand = (struct gate_hand){0};
}

static void add_basic(struct buf *lines, const char *realm)
{
    buf_add_str(lines, "Basic realm=\"");
    for (; *realm; realm++)
        buf_addf(lines, "%s%c", *realm == '"' || *realm == '\\' ? "\\" : "", *realm);
    buf_add_str(lines, "\", charset=\"UTF-8\"\n");
}

void gate_challenge(struct gate *g, const struct gate_hand *hand, bool stale, int64_t now, struct buf *lines)
{
    for (size_t i = 0; i < g->n; i++) {
        if (!hand->works[g->schemes[i]])
            continue;
        switch (g->schemes[i]) {
        case AUTH_NEGOTIATE:
            buf_add_str(lines, "Negotiate\n");
            break;
        case AUTH_NTLM:
            buf_add_str(lines, "NTLM\n");
            break;
        case AUTH_DIGEST:
            digest_gate_offer(g->digest, hand->users, stale, now, lines);
            break;
        default:
            add_basic(lines, g->realm);
        }
    }
}
