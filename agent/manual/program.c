/*
 * exeat(1): verbs, options and exit codes from their tables; what these do not know (files, the environment)
 * stands in tables here. A test looks whether every variable that the sources read is among them.
 */
#include "cli/exit.h"
#include "cli/verb.h"
#include "manual/manual.h"
#include "manual/roff.h"

static const struct roff_entry files[] = {
    {"$XDG_CONFIG_HOME/exeat/exeat.conf",
     "The configuration, exeat.conf(5); $XDG_CONFIG_HOME is ~/.config where it is not set."},
    {"/etc/exeat/exeat.conf", "Read where the user has none."},
    {"$XDG_RUNTIME_DIR/exeat/control", "The running agent's socket, for the verbs. The directory is "
                                       "/run/user/UID/exeat where the variable is not "
                                       "set, or /tmp/exeat-UID where that is not there."},
    {"$XDG_RUNTIME_DIR/exeat/keys", "The socket of exeat-keys, the program that keeps passwords and tickets: "
                                    "\"exeat login\" speaks to it alone."},
    {"$XDG_STATE_HOME/exeat/", "What is kept from one run to the next: which passwords were refused, the "
                               "strongest scheme that each proxy "
                               "took, the last good PAC script, what \"exeat apps\" has replaced. "
                               "~/.local/state where the variable is not set."},
    {"/var/lib/exeat/", "What \"exeat apps\" has replaced in system-wide files; state of exeat@.service."},
    {NULL, NULL},
};

static const struct roff_entry environment[] = {
    {"EXEAT_UPSTREAM", "Without a configuration file: the proxy. Before the following ones."},
    {"https_proxy, HTTPS_PROXY, http_proxy, HTTP_PROXY",
     "Without a configuration file: the proxy. Whatever names the agent itself is passed over."},
    {"no_proxy, NO_PROXY", "Without a configuration file: what is reached without a proxy."},
    {"all_proxy, ALL_PROXY", "\"exeat doctor\" warns where it leads elsewhere."},
    {"auto_proxy", "With pac = system, outside GNOME and KDE: the PAC script's address."},
    {"XDG_CURRENT_DESKTOP", "With pac = system: whose settings are followed."},
    {"EXEAT_ENV_BEFORE",
     "Written by \"exeat env\": what its variables were before, for \"exeat env --undo\"."},
    {"EXEAT_PINENTRY",
     "The program that asks for passwords where there is no terminal; in place of the system's pinentry."},
    {"DISPLAY, WAYLAND_DISPLAY", "Whether there is a desktop on which a pinentry can ask."},
    {"USER", "The name that \"exeat setup\" proposes."},
    {"NO_COLOR, TERM", "With any NO_COLOR, or TERM=dumb: text on a terminal is plain."},
    {"TMPDIR", "Where \"exeat practice\" makes its folder, in place of /tmp."},
    {"SHELL", "Whose words \"exeat env\" uses, without --shell."},
    {"HOME, XDG_CONFIG_HOME, XDG_RUNTIME_DIR, XDG_STATE_HOME", "See FILES."},
    {"PATH",
     "Where programs are looked for that exeat asks, like gsettings, and those that \"exeat apps\" knows."},
    {"TZ", "The time zone for PAC scripts that ask for the time."},
    {"TERM", "\"dumb\": progress is said once, on a line of its own. A pinentry is told, too."},
    {"TMPDIR", "Where \"exeat practice\" has its directory, instead of /tmp."},
    {"NO_COLOR", "If set, \"exeat practice\" uses no bold letters."},
    {"SUDO_UID", "As root, \"exeat apps\" asks the agent of the user who called sudo where it listens."},
    {"KRB5CCNAME, KRB5_CONFIG, KRB5_KTNAME",
     "The Kerberos tickets, the configuration of Kerberos, and the keytab of a gateway, as everywhere."},
    {"CREDENTIALS_DIRECTORY",
     "Set by systemd (LoadCredential=): where secret = credential:NAME is looked for."},
    {"LISTEN_PID, LISTEN_FDS, LISTEN_FDNAMES",
     "Set by systemd (.socket units): sockets that listen already."},
    {"NOTIFY_SOCKET",
     "Set by systemd (Type=notify): where the agent says that it is ready, reloads or stops."},
    {"JOURNAL_STREAM", "Set by systemd: the log has no time of its own where it goes to the journal."},
    {NULL, NULL},
};

static void add_option(struct buf *out, const struct verb_option *o)
{
    buf_add_str(out, ".TP\n");
    if (o->letter)
        buf_addf(out, "\\fB\\-%c\\fR, ", o->letter);
    buf_add_str(out, "\\fB\\-\\-");
    roff_add(out, span_str(o->name));
    buf_addf(out, "\\fR%s%s%s\n", o->argument ? " \\fI" : "", o->argument ? o->argument : "",
             o->argument ? "\\fR" : "");
    roff_add(out, span_str(o->help));
    buf_add_str(out, "\n");
}

static void add_verb(struct buf *out, const struct verb *verb)
{
    struct buf usage = {0};
    buf_addf(&usage, "exeat %s%s%s%s", verb->name, verb->options ? " [OPTION]..." : "",
             *verb->arguments ? " " : "", verb->arguments);
    roff_macro(out, "SS", buf_cstr(&usage));
    buf_free(&usage);
    roff_add(out, span_str(verb->summary));
    buf_add_str(out, ".\n.PP\n");
    roff_paragraphs(out, verb->help, false);
    for (const struct verb_option *o = verb->options; o && o->name; o++)
        add_option(out, o);
}

static void add_exit_codes(struct buf *out)
{
    roff_macro(out, "SH", "EXIT STATUS");
    for (const struct exit_row *row = exit_rows; row->meaning; row++) {
        buf_addf(out, ".TP\n.B %d\n", row->code);
        roff_paragraphs(out, row->meaning, true);
    }
}

void manual_program(struct buf *out, const char *date)
{
    buf_addf(out, ".TH EXEAT 1 %s \"exeat %s\" \"User Commands\"\n", date, EXEAT_VERSION);
    roff_macro(out, "SH", "NAME");
    buf_add_str(out, "exeat \\- local proxy\\-authentication agent\n");
    roff_macro(out, "SH", "SYNOPSIS");
    buf_add_str(out, ".B exeat\n\\fIVERB\\fR [\\fIOPTION\\fR]... [\\fIARGUMENT\\fR]\n");
    roff_macro(out, "SH", "DESCRIPTION");
    roff_paragraphs(out, cli_program.help, false);
    roff_macro(out, "SH", "OPTIONS");
    for (const struct verb_option *o = cli_program.options; o->name; o++)
        add_option(out, o);
    add_option(out, &cli_help_option);
    roff_macro(out, "SH", "VERBS");
    buf_add_str(out, "Every verb has \\fB\\-\\-help\\fR too.\n");
    for (const struct verb *const *v = cli_verbs; *v; v++)
        add_verb(out, *v);
    add_exit_codes(out);
    roff_entries(out, "FILES", files);
    roff_entries(out, "ENVIRONMENT", environment);
    roff_macro(out, "SH", "SEE ALSO");
    buf_add_str(out, ".BR exeat\\-tray (1),\n.BR exeat.conf (5),\n.BR kinit (1),\n.BR systemd.socket (5)\n");
}
