/*
 * A question: connect, is it our own user's process, write the line, read one back. The struct lives until its one end, which every asynchronous step leads to.
 */
#include "link.h"

#include <gio/gunixsocketaddress.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/buf.h"

#define ANSWER_MAX ((size_t)4 << 20)

struct asking {
    GSocketClient *client;
    GSocketConnection *connection;
    GCancellable *cancel;
    char *line;
    struct buf in;
    char chunk[16384];
    link_answered answered;
    void *owner;
};

static void asking_free(struct asking *a)
{
    g_clear_object(&a->connection);
    g_clear_object(&a->client);
    g_clear_object(&a->cancel);
    g_free(a->line);
    buf_free(&a->in);
    free(a);
}

static void end(struct asking *a, json_t *answer, const struct err *e)
{
    if (!g_cancellable_is_cancelled(a->cancel))
        a->answered(a->owner, answer, e);
    asking_free(a);
}

static void fail(struct asking *a, GError *error)
{
    struct err e = {0};
    bool late = g_error_matches(error, G_IO_ERROR, G_IO_ERROR_TIMED_OUT);
    if (late)
        err_set(&e, ERR_TIMEOUT, "the agent does not answer");
    else
        err_set(&e, ERR_GONE, "no agent is running (%s)", error->message);
    g_error_free(error);
    end(a, NULL, &e);
}

static void judge(struct asking *a, size_t length)
{
    struct err e = {0};
    json_t *answer = json_loadb(a->in.p, length, JSON_REJECT_DUPLICATES, NULL);
    json_t *ok = json_object_get(answer, "ok");
    const char *error = json_string_value(json_object_get(answer, "error"));
    if (json_is_true(ok)) {
        end(a, answer, NULL);
    } else {
        if (json_is_false(ok))
            err_set(&e, ERR_REFUSED, "%s", error ? error : "the agent said no, without a reason");
        else
            err_set(&e, ERR_PROTOCOL, "what answered is not an agent of this kind");
        end(a, NULL, &e);
    }
    json_decref(answer);
}

static void read_on(struct asking *a);

static void got_bytes(GObject *source, GAsyncResult *result, gpointer data)
{
    struct asking *a = data;
    GError *error = NULL;
    struct err e = {0};
    gssize n = g_input_stream_read_finish(G_INPUT_STREAM(source), result, &error);
    size_t before = a->in.n;
    if (n < 0) {
        fail(a, error);
    } else if (n == 0) {
        err_set(&e, ERR_GONE, "the agent went away before it answered");
        end(a, NULL, &e);
    } else if (!buf_add(&a->in, a->chunk, (size_t)n)) {
        err_set(&e, ERR_LIMIT, "the agent's answer is longer than %zu bytes", ANSWER_MAX);
        end(a, NULL, &e);
    } else {
        struct span fresh = span_from(buf_span(&a->in), before);
        size_t newline = span_find(fresh, '\n');
        if (newline < fresh.n)
            judge(a, before + newline);
        else
            read_on(a);
    }
}

static void read_on(struct asking *a)
{
    GInputStream *in = g_io_stream_get_input_stream(G_IO_STREAM(a->connection));
    g_input_stream_read_async(in, a->chunk, sizeof a->chunk, G_PRIORITY_DEFAULT, a->cancel, got_bytes, a);
}

static void written(GObject *source, GAsyncResult *result, gpointer data)
{
    struct asking *a = data;
    GError *error = NULL;
    if (g_output_stream_write_all_finish(G_OUTPUT_STREAM(source), result, NULL, &error))
        read_on(a);
    else
        fail(a, error);
}

static bool is_ours(GSocketConnection *connection)
{
    GCredentials *peer = g_socket_get_credentials(g_socket_connection_get_socket(connection), NULL);
    bool ours = peer && g_credentials_get_unix_user(peer, NULL) == getuid();
    g_clear_object(&peer);
    return ours;
}

static void connected(GObject *source, GAsyncResult *result, gpointer data)
{
    struct asking *a = data;
    GError *error = NULL;
    struct err e = {0};
    a->connection = g_socket_client_connect_finish(G_SOCKET_CLIENT(source), result, &error);
    if (!a->connection) {
        fail(a, error);
    } else if (!is_ours(a->connection)) {
        err_set(&e, ERR_PROTOCOL, "the agent's socket belongs to another user: nothing was asked there");
        end(a, NULL, &e);
    } else {
        GOutputStream *out = g_io_stream_get_output_stream(G_IO_STREAM(a->connection));
        g_output_stream_write_all_async(out, a->line, strlen(a->line), G_PRIORITY_DEFAULT, a->cancel, written,
                                        a);
    }
}

void link_ask(const char *path, json_t *question, unsigned patience_s, GCancellable *cancel,
              link_answered answered, void *owner)
{
    struct asking *a = mem_zero(sizeof *a);
    char *text = json_dumps(question, JSON_COMPACT);
    GSocketAddress *address = g_unix_socket_address_new(path);
    a->line = g_strdup_printf("%s\n", text ? text : "{}");
    free(text);
    a->cancel = g_object_ref(cancel);
    a->answered = answered;
    a->owner = owner;
    buf_init(&a->in, ANSWER_MAX);
    a->client = g_socket_client_new();
    g_socket_client_set_enable_proxy(a->client, FALSE);
    g_socket_client_set_timeout(a->client, patience_s);
    g_socket_client_connect_async(a->client, G_SOCKET_CONNECTABLE(address), cancel, connected, a);
    g_object_unref(address);
}
