/*
 * The Secret Service through libsecret, whose only home this is. Its calls block on D-Bus: a watchdog per call, a thread that
 * waits on a condition with a time limit, cancels those that a hanging daemon would hold for ever. A locked keyring looks like an empty
 * one to the plain look-up, so we search without unlocking and look at each item. Worker threads only.
 *
 * An item has the attributes application=exeat, upstream=NAME, user=WHO.
 */
#include "keys/provider.h"

#include <errno.h>
#include <libsecret/secret.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/buf.h"

#define KEYRING_SECONDS 12

static const SecretSchema schema = {
    .name = "net.exeat.Password",
    .flags = SECRET_SCHEMA_NONE,
    .attributes = {{"application", SECRET_SCHEMA_ATTRIBUTE_STRING},
                   {"upstream", SECRET_SCHEMA_ATTRIBUTE_STRING},
                   {"user", SECRET_SCHEMA_ATTRIBUTE_STRING},
                   {NULL, 0}},
};

struct watchdog {
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t over;
    bool finished, running;
    GCancellable *cancel;
};

static void *watch(void *arg)
{
    struct watchdog *w = arg;
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += KEYRING_SECONDS;
    pthread_mutex_lock(&w->lock);
    while (!w->finished && pthread_cond_timedwait(&w->over, &w->lock, &until) != ETIMEDOUT)
        ;
    bool late = !w->finished;
    pthread_mutex_unlock(&w->lock);
    if (late)
        g_cancellable_cancel(w->cancel);
    return NULL;
}

static void watchdog_start(struct watchdog *w)
{
    *w = (struct watchdog){.lock = PTHREAD_MUTEX_INITIALIZER, .over = PTHREAD_COND_INITIALIZER};
    w->cancel = g_cancellable_new();
    w->running = pthread_create(&w->thread, NULL, watch, w) == 0;
}

static void watchdog_stop(struct watchdog *w)
{
    pthread_mutex_lock(&w->lock);
    w->finished = true;
    pthread_cond_signal(&w->over);
    pthread_mutex_unlock(&w->lock);
    if (w->running)
        pthread_join(w->thread, NULL);
    g_object_unref(w->cancel);
}

/* GDBus ends the whole process when the session bus goes away, unless told not to; libsecret uses this same shared connection. */
static void keep_running_without_bus(GCancellable *cancel)
{
    GDBusConnection *bus = g_bus_get_sync(G_BUS_TYPE_SESSION, cancel, NULL);
    if (bus) {
        g_dbus_connection_set_exit_on_close(bus, FALSE);
        g_object_unref(bus);
    }
}

static enum provided_kind explain(GError *error, struct err *e)
{
    enum provided_kind kind = PROVIDED_FAILED;
    if (g_error_matches(error, G_IO_ERROR, G_IO_ERROR_CANCELLED) ||
        g_error_matches(error, G_IO_ERROR, G_IO_ERROR_TIMED_OUT)) {
        kind = PROVIDED_TIMEOUT;
        err_set(e, ERR_TIMEOUT, "the keyring did not answer within %d seconds", KEYRING_SECONDS);
    } else if (g_error_matches(error, SECRET_ERROR, SECRET_ERROR_IS_LOCKED)) {
        kind = PROVIDED_LOCKED;
        err_set(e, ERR_SYSTEM, "the keyring is locked");
    } else if (error->domain == G_DBUS_ERROR || error->domain == G_IO_ERROR ||
               error->domain == G_SPAWN_ERROR) {
        /* no session bus, nobody on it who keeps secrets, or one that went away in the middle */
        kind = PROVIDED_NOWHERE;
        err_set(e, ERR_SYSTEM, "there is no keyring in this session (%s)", error->message);
    } else {
        err_set(e, ERR_SYSTEM, "the keyring failed (%s)", error->message);
    }
    g_error_free(error);
    return kind;
}

static GList *search(const char *upstream, const char *user, GCancellable *cancel, GError **error)
{
    keep_running_without_bus(cancel);
    SecretSearchFlags flags = SECRET_SEARCH_ALL | SECRET_SEARCH_LOAD_SECRETS;
    if (user && *user)
        return secret_password_search_sync(&schema, flags, cancel, error, "application", "exeat", "upstream",
                                           upstream, "user", user, NULL);
    return secret_password_search_sync(&schema, flags, cancel, error, "application", "exeat", "upstream",
                                       upstream, NULL);
}

/* Takes what one item has. true: that was the password. */
static bool take(SecretRetrievable *item, GCancellable *cancel, struct provided *out)
{
    GError *error = NULL;
    if (SECRET_IS_ITEM(item) && secret_item_get_locked(SECRET_ITEM(item))) {
        out->kind = PROVIDED_LOCKED;
        err_set(&out->e, ERR_SYSTEM, "the keyring is locked");
        return false;
    }
    SecretValue *value = secret_retrievable_retrieve_secret_sync(item, cancel, &error);
    if (!value) {
        if (error)
            out->kind = explain(error, &out->e);
        return false;
    }
    gsize n;
    const char *bytes = secret_value_get(value, &n);
    bool good = n > 0 && n <= PROVIDER_SECRET_MAX;
    if (good) {
        secret_set(&out->secret, span_make(bytes, n));
        GHashTable *attributes = secret_retrievable_get_attributes(item);
        const char *user = g_hash_table_lookup(attributes, "user");
        out->user = user && *user ? mem_strdup(user) : NULL;
        g_hash_table_unref(attributes);
        out->kind = PROVIDED;
    }
    secret_value_unref(value);
    return good;
}

void keyring_fetch(const char *upstream, const char *user, struct provided *out)
{
    struct watchdog w;
    GError *error = NULL;

    watchdog_start(&w);
    GList *items = search(upstream, user, w.cancel, &error);
    if (error) {
        out->kind = explain(error, &out->e);
    } else {
        out->kind = PROVIDED_ABSENT;
        err_set(&out->e, ERR_NONE, "the keyring has no password for %s%s%s", upstream,
                user && *user ? " of " : "", user ? user : "");
    }
    for (GList *it = items; it; it = it->next)
        if (take(it->data, w.cancel, out))
            break;
    g_list_free_full(items, g_object_unref);
    watchdog_stop(&w);
}

enum provided_kind keyring_clear(const char *upstream, const char *user, struct err *e)
{
    struct watchdog w;
    GError *error = NULL;

    watchdog_start(&w);
    keep_running_without_bus(w.cancel);
    if (user)
        secret_password_clear_sync(&schema, w.cancel, &error, "application", "exeat", "upstream", upstream,
                                   "user", user, NULL);
    else
        secret_password_clear_sync(&schema, w.cancel, &error, "application", "exeat", "upstream", upstream,
                                   NULL);
    watchdog_stop(&w);
    return error ? explain(error, e) : PROVIDED;
}

/* One item for each upstream that has one user: what an earlier login left for another user would come first some day. */
static void clear_others(const char *upstream, const char *user, GCancellable *cancel)
{
    GList *items = search(upstream, NULL, cancel, NULL);
    for (GList *it = items; it; it = it->next) {
        GHashTable *attributes = secret_retrievable_get_attributes(it->data);
        const char *other = g_hash_table_lookup(attributes, "user");
        if (other && strcmp(other, user) != 0)
            secret_password_clear_sync(&schema, cancel, NULL, "application", "exeat", "upstream", upstream,
                                       "user", other, NULL);
        g_hash_table_unref(attributes);
    }
    g_list_free_full(items, g_object_unref);
}

enum provided_kind keyring_store(const char *upstream, const char *user, bool alone,
                                 const struct secret *secret, struct err *e)
{
    struct watchdog w;
    GError *error = NULL;
    struct buf label = {0};

    watchdog_start(&w);
    keep_running_without_bus(w.cancel);
    struct span bytes = secret_reveal(secret);
    SecretValue *value = secret_value_new(bytes.p, (gssize)bytes.n, "text/plain");
    buf_addf(&label, "Proxy password of %s for %s (exeat)", user, upstream);
    secret_password_store_binary_sync(&schema, SECRET_COLLECTION_DEFAULT, buf_cstr(&label), value, w.cancel,
                                      &error, "application", "exeat", "upstream", upstream, "user", user,
                                      NULL);
    if (!error && alone)
        clear_others(upstream, user, w.cancel);
    secret_value_unref(value);
    buf_free(&label);
    watchdog_stop(&w);
    return error ? explain(error, e) : PROVIDED;
}
