/*
 * exeat-tray: arguments, the session bus, one instance.
 */
#include <getopt.h>
#include <gio/gio.h>
#include <glib-unix.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "config/config.h"
#include "options.h"
#include "tray.h"

#define OWN_NAME "net.exeat.Tray"

struct program {
    struct tray_settings settings;
    GMainLoop *loop;
    GDBusConnection *bus;
    struct tray *tray;
    const char *kind; /* of icons */
    int code;
};

/* The rows as getopt takes them; what it answers is the number of the row, or '?'. */
static int next_option(int argc, char **argv)
{
    struct option options[8] = {0};
    char letters[16] = "";
    size_t n = 0;
    for (const struct tray_option *o = tray_options; o->name; o++, n++) {
        options[n] = (struct option){o->name, o->argument ? required_argument : no_argument, NULL, (int)n};
        if (o->letter)
            letters[strlen(letters)] = o->letter;
    }
    int found = getopt_long(argc, argv, letters, options, NULL);
    for (size_t i = 0; i < n; i++)
        if (found > 0 && found == tray_options[i].letter)
            return (int)i;
    return found;
}

/* NULL: it is none of the option's. */
static const char *value_of(const struct tray_option *o, const char *given)
{
    for (size_t i = 0; o->values[i]; i++)
        if (strcmp(o->values[i], given) == 0)
            return o->values[i];
    return NULL;
}

/* 0: go on; else how to end, plus one. */
static int read_arguments(int argc, char **argv, struct program *p)
{
    int row;
    p->kind = "symbolic";
    while ((row = next_option(argc, argv)) >= 0 && row != '?') {
        const struct tray_option *o = &tray_options[row];
        if (strcmp(o->name, "version") == 0)
            puts("exeat-tray " EXEAT_VERSION);
        else if (strcmp(o->name, "help") == 0)
            tray_help(stdout);
        if (!o->values)
            return TRAY_DONE + 1;
        p->kind = value_of(o, optarg);
        if (!p->kind)
            break;
    }
    if (row == -1 && optind == argc)
        return 0;
    fputs("exeat-tray: what is that? \"exeat-tray --help\" says what there is\n", stderr);
    return TRAY_USAGE + 1;
}

/* Beside the program, as in a build tree; else where make install puts them. The caller frees. */
static char *icons_folder(void)
{
    char self[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    if (n > 0) {
        self[n] = '\0';
        char *folder = g_path_get_dirname(self);
        char *icons = g_build_filename(folder, "icons", NULL);
        g_free(folder);
        if (g_file_test(icons, G_FILE_TEST_IS_DIR))
            return icons;
        g_free(icons);
    }
    return g_strdup(EXEAT_ICONS);
}

static void quit(void *owner)
{
    struct program *p = owner;
    g_main_loop_quit(p->loop);
}

static gboolean by_signal(gpointer data)
{
    quit(data);
    return G_SOURCE_CONTINUE;
}

static void name_ours(GDBusConnection *bus, const char *name, gpointer data)
{
    struct program *p = data;
    (void)name;
    if (!p->tray)
        p->tray = tray_new(bus, &p->settings);
}

static int fail(const char *sentence, const char *more)
{
    fprintf(stderr, "exeat-tray: %s%s%s\n", sentence, more ? ": " : "", more ? more : "");
    return 1;
}

static void name_not_ours(GDBusConnection *bus, const char *name, gpointer data)
{
    struct program *p = data;
    (void)name;
    if (bus && !g_dbus_connection_is_closed(bus) && !p->tray)
        fputs("exeat-tray: it is running already\n", stderr);
    quit(p);
}

/* A failure, so that systemd starts us again where only the bus was restarted. */
static void bus_closed(GDBusConnection *bus, gboolean gone, GError *error, gpointer data)
{
    struct program *p = data;
    (void)bus, (void)gone, (void)error;
    p->code = fail("the session bus has gone", NULL);
    quit(p);
}

static void run(struct program *p)
{
    p->loop = g_main_loop_new(NULL, FALSE);
    g_unix_signal_add(SIGTERM, by_signal, p);
    g_unix_signal_add(SIGINT, by_signal, p);
    g_dbus_connection_set_exit_on_close(p->bus, FALSE);
    g_signal_connect(p->bus, "closed", G_CALLBACK(bus_closed), p);
    guint name = g_bus_own_name_on_connection(p->bus, OWN_NAME, G_BUS_NAME_OWNER_FLAGS_DO_NOT_QUEUE,
                                              name_ours, name_not_ours, p, NULL);
    g_main_loop_run(p->loop);
    g_signal_handlers_disconnect_by_data(p->bus, p);
    g_bus_unown_name(name);
    if (p->tray)
        tray_free(p->tray);
    g_dbus_connection_flush_sync(p->bus, NULL, NULL);
    g_main_loop_unref(p->loop);
}

int main(int argc, char **argv)
{
    struct program p = {0};
    struct err e = {0};
    GError *error = NULL;
    int end = read_arguments(argc, argv, &p);
    if (end)
        return end - 1;
    char *folder = config_runtime_dir(&e);
    if (!folder)
        return fail(e.text, NULL);
    p.bus = g_bus_get_sync(G_BUS_TYPE_SESSION, NULL, &error);
    if (!p.bus) {
        end = fail("there is no desktop session here (no session bus)", error->message);
        g_error_free(error);
        free(folder);
        return end;
    }
    char *control = g_strconcat(folder, "/control", NULL), *icons = icons_folder();
    char *suffix = g_strconcat("-", p.kind, NULL);
    p.settings.control = control;
    p.settings.icons = icons;
    p.settings.suffix = suffix;
    p.settings.quit = quit;
    p.settings.owner = &p;
    run(&p);
    g_free(control);
    g_free(icons);
    g_free(suffix);
    free(folder);
    g_object_unref(p.bus);
    return p.code;
}
