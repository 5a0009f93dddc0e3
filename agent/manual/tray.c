/*
 * exeat-tray(1) and its completions, from the tables of its command line. What these do not know (the menu, files, the environment) stands
 * in tables here; tests look whether the menu has these rows, and whether every variable that it reads is among them.
 */
#include "tray/options.h"

#include "manual/manual.h"
#include "manual/roff.h"

static const struct roff_entry menu[] = {
    {"Proxy on", "Switches exeat on and off, as \"exeat on\" and \"exeat off\" do. While it is off, requests "
                 "go direct or are refused, as when-off in [route] says."},
    {"Enter password",
     "\"exeat login\", which asks by pinentry. What is typed goes to the program that keeps "
     "passwords, exeat-keys, and nowhere else; it is tried once, and then kept."},
    {"Renew ticket", "Renews a Kerberos ticket that ends soon, by \"kinit -R\"; where that does not do, the "
                     "password is asked for."},
    {"Accept weaker scheme", "\"exeat accept\": shown while a proxy offers less than before."},
    {"Desktop uses exeat",
     "\"exeat apps set\" and \"exeat apps unset\" with gnome or kde: the desktop's own proxy settings."},
    {"Diagnose", "\"exeat doctor\", in a terminal window."},
    {"Log", "\"exeat log\", in a terminal window."},
    {"Start exeat", "Shown while no agent is running."},
    {"Quit", "Ends the icon. The agent goes on."},
    {NULL, NULL},
};

static const struct roff_entry files[] = {
    {"$XDG_RUNTIME_DIR/exeat/control", "The agent's socket: see exeat(1)."},
    {"/etc/xdg/autostart/exeat-tray.desktop",
     "Starts it with every desktop session. Who does not want it puts a copy with the line Hidden=true into "
     "~/.config/autostart."},
    {"exeat-tray.service", "The same as a unit of the user's systemd, for desktops that start by that alone: "
                           "\"systemctl --user enable exeat-tray.service\"."},
    {"$XDG_STATE_HOME/exeat/no-tray-told",
     "There once you have been told that this desktop has no place for icons. ~/.local/state where the "
     "variable is not set."},
    {NULL, NULL},
};

static const struct roff_entry environment[] = {
    {"DBUS_SESSION_BUS_ADDRESS", "Where the desktop's session bus is."},
    {"XDG_CURRENT_DESKTOP", "Whose settings \"Desktop uses exeat\" changes: KDE's, or else GNOME's."},
    {"PATH", "Where terminals and kinit are looked for."},
    {"EXEAT_PINENTRY", "As for \"exeat login\", see exeat(1)."},
    {"XDG_RUNTIME_DIR, XDG_STATE_HOME", "See FILES."},
    {NULL, NULL},
};

static void add_option(struct buf *out, const struct tray_option *o)
{
    buf_add_str(out, ".TP\n");
    if (o->letter)
        buf_addf(out, "\\fB\\-%c\\fR, ", o->letter);
    buf_addf(out, "\\fB\\-\\-%s\\fR%s%s%s\n", o->name, o->argument ? " \\fI" : "",
             o->argument ? o->argument : "", o->argument ? "\\fR" : "");
    roff_add(out, span_str(o->help));
    buf_add_str(out, "\n");
}

void manual_tray(struct buf *out, const char *date)
{
    buf_addf(out, ".TH EXEAT\\-TRAY 1 %s \"exeat %s\" \"User Commands\"\n", date, EXEAT_VERSION);
    roff_macro(out, "SH", "NAME");
    buf_add_str(out, "exeat\\-tray \\- icon of exeat, the local proxy\\-authentication agent\n");
    roff_macro(out, "SH", "SYNOPSIS");
    buf_add_str(out, ".B exeat\\-tray\n[\\fIOPTION\\fR]...\n");
    roff_macro(out, "SH", "DESCRIPTION");
    roff_paragraphs(out, tray_about, false);
    buf_add_str(
        out,
        ".PP\nIt shows its icon wherever a panel takes StatusNotifierItem (KDE, XFCE, LXQt, MATE, Cinnamon, "
        "waybar; GNOME with\nthe extension AppIndicator). Without such a panel its notifications and its "
        "questions for passwords come all the\nsame.\n");
    roff_macro(out, "SH", "OPTIONS");
    for (const struct tray_option *o = tray_options; o->name; o++)
        add_option(out, o);
    roff_entries(out, "MENU", menu);
    roff_macro(out, "SH", "EXIT STATUS");
    for (const struct tray_exit *e = tray_exits; e->meaning; e++) {
        buf_addf(out, ".TP\n.B %d\n", e->code);
        roff_paragraphs(out, e->meaning, true);
    }
    roff_entries(out, "FILES", files);
    roff_entries(out, "ENVIRONMENT", environment);
    roff_macro(out, "SH", "SEE ALSO");
    buf_add_str(out, ".BR exeat (1),\n.BR exeat.conf (5)\n");
}

/* --- completions --- */

static void add_values(struct buf *out, const struct tray_option *o)
{
    for (size_t i = 0; o->values[i]; i++)
        buf_addf(out, "%s%s", i ? " " : "", o->values[i]);
}

/* "=" is a word of its own for bash. */
void manual_tray_bash(struct buf *out, const char *date)
{
    (void)date;
    buf_add_str(out,
                "# bash completion for exeat-tray, made from its table of options\t-*- shell-script -*-\n\n"
                "_exeat_tray() {\n"
                "    local cur=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]} words\n"
                "    [[ $before == = ]] && before=${COMP_WORDS[COMP_CWORD - 2]}\n"
                "    [[ $cur == = ]] && cur=''\n"
                "    case $before in\n");
    for (const struct tray_option *o = tray_options; o->name; o++) {
        if (!o->values)
            continue;
        buf_addf(out, "    --%s) words='", o->name);
        add_values(out, o);
        buf_add_str(out, "' ;;\n");
    }
    buf_add_str(out, "    *) words='");
    for (const struct tray_option *o = tray_options; o->name; o++)
        buf_addf(out, "%s--%s", o == tray_options ? "" : " ", o->name);
    buf_add_str(out, "' ;;\n"
                     "    esac\n"
                     "    mapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$cur\")\n"
                     "}\n\n"
                     "complete -F _exeat_tray exeat-tray\n");
}

void manual_tray_zsh(struct buf *out, const char *date)
{
    (void)date;
    buf_add_str(out, "#compdef exeat-tray\n# zsh completion for exeat-tray, made from its table of "
                     "options\n\n_arguments -s");
    for (const struct tray_option *o = tray_options; o->name; o++) {
        buf_addf(out, " \\\n    '--%s%s[%s]", o->name, o->argument ? "=" : "", o->help);
        if (o->values) {
            buf_add_str(out, ": :(");
            add_values(out, o);
            buf_add_str(out, ")");
        }
        buf_add_str(out, "'");
    }
    buf_add_str(out, "\n");
}

void manual_tray_fish(struct buf *out, const char *date)
{
    (void)date;
    buf_add_str(
        out,
        "# fish completion for exeat-tray, made from its table of options\n\ncomplete -c exeat-tray -f\n");
    for (const struct tray_option *o = tray_options; o->name; o++) {
        buf_addf(out, "complete -c exeat-tray -l %s", o->name);
        if (o->letter)
            buf_addf(out, " -s %c", o->letter);
        if (o->values) {
            buf_add_str(out, " -x -a '");
            add_values(out, o);
            buf_add_str(out, "'");
        }
        buf_addf(out, " -d '%s'\n", o->help);
    }
}
