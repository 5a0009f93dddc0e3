/*
 * The client programs, a row each. A row says where a program keeps its proxy and how it is written; everything else works from that.
 */
#include "apps/apps.h"

#define ENVIRONMENT_FILE "~config/environment.d/50-exeat.conf"

#define UNIT_LINES                                                                                           \
    "[Service]\n"                                                                                            \
    "Environment=\"http_proxy={url}\" \"https_proxy={url}\" \"no_proxy={no_proxy}\"\n"                       \
    "Environment=\"HTTP_PROXY={url}\" \"HTTPS_PROXY={url}\" \"NO_PROXY={no_proxy}\"\n"

#define JETBRAINS_COMPONENT                                                                                  \
    "<component name=\"HttpConfigurable\">\n"                                                                \
    "    <option name=\"PROXY_EXCEPTIONS\" value=\"{java_commas}\" />\n"                                     \
    "    <option name=\"PROXY_HOST\" value=\"{host}\" />\n"                                                  \
    "    <option name=\"PROXY_PORT\" value=\"{port}\" />\n"                                                  \
    "    <option name=\"USE_HTTP_PROXY\" value=\"true\" />\n"                                                \
    "  </component>"

#define MAVEN_PROXY                                                                                          \
    "<proxy><id>exeat</id><active>true</active><protocol>http</protocol><host>{host}</host>"                 \
    "<port>{port}</port><nonProxyHosts>{java}</nonProxyHosts></proxy>"

#define FOR_EVERYBODY                                                                                        \
    "it counts for every user of this machine, and exeat lets in none but those of allow-uids"

static const struct app_key gnome[] = {
    {"org.gnome.system.proxy.http host", "'{host}'", true},
    {"org.gnome.system.proxy.http port", "{port}", true},
    {"org.gnome.system.proxy.https host", "'{host}'", true},
    {"org.gnome.system.proxy.https port", "{port}", true},
    {"org.gnome.system.proxy ignore-hosts", "{gvariant}", false},
    {"org.gnome.system.proxy mode", "'manual'", true},
    {0},
};

#define VSCODE(path, text)                                                                                   \
    {                                                                                                        \
        path, &edit_jsonc, {{"http.proxy", "\"{url}\"", true}, {"http.noProxy", "{json}", false}}, text      \
    }

#define NUGET(path, text)                                                                                    \
    {                                                                                                        \
        path, &edit_xml,                                                                                     \
            {{"configuration/config/add[key=http_proxy]", "<add key=\"http_proxy\" value=\"{url}\" />",      \
              true}},                                                                                        \
            text                                                                                             \
    }

#define PODMAN_LINES                                                                                         \
    "[engine]\nenv = [\"http_proxy={url}\", \"https_proxy={url}\", \"no_proxy={no_proxy}\"]\n"

const struct app app_rows[] = {
    {.name = "apt",
     .title = "apt",
     .find = "apt-get",
     .scope = SCOPE_SYSTEM,
     .files = {{"/etc/apt/apt.conf.d/90exeat",
                &edit_lines,
                {{"proxy", "Acquire::http::Proxy \"{url}\";\nAcquire::https::Proxy \"{url}\";\n{apt}{apts}",
                  true}},
                "`/etc/apt/apt.conf.d/90exeat`, a file of our own"}},
     .environment = true,
     .elsewhere = "/etc/apt/apt.conf|/etc/apt/apt.conf.d/*\n::Proxy",
     .runs_as = "_apt",
     .note = "downloads as `_apt`: the row says what to write into `allow-uids`"},
    {.name = "cargo",
     .title = "Cargo",
     .find = "cargo|~/.cargo/bin/cargo",
     .files = {{"$CARGO_HOME/config|+$CARGO_HOME/config.toml|~/.cargo/config|+~/.cargo/config.toml",
                &edit_toml,
                {{"http/proxy", "\"{url}\"", true}},
                "`~/.cargo/config.toml` (`CARGO_HOME`): `[http] proxy`"}},
     .environment = true},
    {.name = "composer",
     .title = "Composer",
     .find = "composer",
     .scope = SCOPE_ENVIRONMENT,
     .environment = true,
     .note = "knows the environment only: `exeat env`, `exeat exec`, or the row `environment`"},
    {.name = "conda",
     .title = "conda",
     .find = "conda|mamba|~/miniconda3/bin/conda|~/anaconda3/bin/conda|~/miniforge3/bin/conda",
     .files = {{"$CONDARC|~/.condarc|~config/conda/.condarc",
                &edit_yaml,
                {{"proxy_servers/http", "{url}", true}, {"proxy_servers/https", "{url}", true}},
                "`~/.condarc` (`CONDARC`): `proxy_servers`"}},
     .environment = true},
    {.name = "curl",
     .title = "curl",
     .find = "curl",
     .files = {{"!$CURL_HOME/.curlrc|!$XDG_CONFIG_HOME/.curlrc|~/.curlrc|!$XDG_CONFIG_HOME/curlrc|!~/.config/"
                "curlrc",
                &edit_curl,
                {{"proxy", "\"{url}\"", true}, {"noproxy", "\"{no_proxy}\"", false}},
                "`~/.curlrc` (`CURL_HOME`): `proxy`, `noproxy`"}},
     .environment = true},
    {.name = "dnf",
     .title = "DNF",
     .find = "dnf|dnf5",
     .scope = SCOPE_SYSTEM,
     .files = {{"/etc/dnf/dnf.conf",
                &edit_dnf,
                {{"main/proxy", "{url}", true}},
                "`/etc/dnf/dnf.conf`: `[main] proxy`"}},
     .environment = true,
     .runs_as = "root"},
    {.name = "docker",
     .title = "Docker (client)",
     .find = "docker",
     .files =
         {{"$DOCKER_CONFIG/config.json|~/.docker/config.json",
           &edit_json,
           {{"proxies/default/httpProxy", "\"{url}\"", true},
            {"proxies/default/httpsProxy", "\"{url}\"", true},
            {"proxies/default/noProxy", "\"{no_proxy}\"", false}},
           "`~/.docker/config.json` (`DOCKER_CONFIG`): `proxies.default`, which it gives to containers"}},
     .by_name = "it hands the address on to containers, where 127.0.0.1 is the container itself: of use with "
                "\"--network host\", or where exeat listens on an address that containers reach",
     .note = "not part of `all`: in a container, 127.0.0.1 is the container"},
    {.name = "dockerd",
     .title = "Docker (daemon)",
     .find = "dockerd",
     .scope = SCOPE_SYSTEM,
     .files = {{"/etc/systemd/system/docker.service.d/exeat.conf",
                &edit_lines,
                {{"unit", UNIT_LINES, true}},
                "`/etc/systemd/system/docker.service.d/exeat.conf`, a file of our own"}},
     .runs_as = "root",
     .after = "systemctl daemon-reload && systemctl restart docker",
     .note = "pulls images as root"},
    {.name = "environment",
     .title = "the user's systemd session",
     .find = "/run/systemd/system|~config/environment.d",
     .files = {{ENVIRONMENT_FILE,
                &edit_lines,
                {{"variables",
                  "http_proxy={url}\nhttps_proxy={url}\nno_proxy={no_proxy}\n"
                  "HTTP_PROXY={url}\nHTTPS_PROXY={url}\nNO_PROXY={no_proxy}\n",
                  true}},
                "`~/.config/environment.d/50-exeat.conf`, a file of our own"}},
     .after = "log out and in again",
     .note = "what `exeat env` sets, for all that the desktop and `systemd --user` start"},
    {.name = "firefox",
     .title = "Firefox (policy)",
     .find = "firefox|firefox-esr",
     .scope = SCOPE_SYSTEM,
     .files =
         {{"/etc/firefox/policies/policies.json",
           &edit_json,
           {{"policies/Proxy",
             "{\"Mode\": \"manual\", \"HTTPProxy\": \"{hostport}\", \"UseHTTPProxyForAllProtocols\": true, "
             "\"Passthrough\": \"{no_proxy}\"}",
             true}},
           "`/etc/firefox/policies/policies.json`: `policies.Proxy`"}},
     .by_name = FOR_EVERYBODY,
     .after = "restart Firefox",
     .note = "not part of `all`: for every user of the machine"},
    {.name = "gem",
     .title = "RubyGems",
     .find = "gem",
     .files = {{"~/.gemrc|~config/gem/gemrc",
                &edit_yaml,
                {{"http_proxy", "{url}", true}},
                "`~/.gemrc`: `http_proxy`"}},
     .environment = true},
    {.name = "git",
     .title = "Git",
     .find = "git",
     .files = {{"$GIT_CONFIG_GLOBAL|~/.gitconfig|~config/git/config",
                &edit_git,
                {{"http/proxy", "{url}", true}},
                "`~/.gitconfig` (`GIT_CONFIG_GLOBAL`): `[http] proxy`"}},
     .environment = true},
    {.name = "gnome",
     .title = "GNOME",
     .find = "gnome-shell|gnome-session|cinnamon|budgie-desktop|mate-session",
     .settings = gnome,
     .note = "by `gsettings`: `org.gnome.system.proxy`; also what Chromium and GTK programs ask"},
    {.name = "go",
     .title = "Go",
     .find = "go|/usr/local/go/bin/go",
     .scope = SCOPE_ENVIRONMENT,
     .environment = true,
     .note = "knows the environment only: `exeat env`, `exeat exec`, or the row `environment`"},
    {.name = "gradle",
     .title = "Gradle",
     .find = "gradle|~/.gradle",
     .files =
         {{"$GRADLE_USER_HOME/gradle.properties|~/.gradle/gradle.properties",
           &edit_properties,
           {{"systemProp.http.proxyHost", "{host}", true},
            {"systemProp.http.proxyPort", "{port}", true},
            {"systemProp.http.nonProxyHosts", "{java}", false},
            {"systemProp.https.proxyHost", "{host}", true},
            {"systemProp.https.proxyPort", "{port}", true}},
           "`~/.gradle/gradle.properties` (`GRADLE_USER_HOME`): `systemProp.http.proxyHost` and so on"}}},
    {.name = "java",
     .title = "Java properties",
     .find = "java",
     .scope = SCOPE_SYSTEM,
     .files = {{"!/etc/java-*/net.properties|!/usr/lib/jvm/*/conf/net.properties",
                &edit_properties,
                {{"http.proxyHost", "{host}", true},
                 {"http.proxyPort", "{port}", true},
                 {"http.nonProxyHosts", "{java}", false},
                 {"https.proxyHost", "{host}", true},
                 {"https.proxyPort", "{port}", true}},
                "each Java's `net.properties`: `http.proxyHost` and so on"}},
     .by_name = FOR_EVERYBODY,
     .note = "not part of `all`: for every user of the machine"},
    {.name = "jetbrains",
     .title = "JetBrains IDEs",
     .find = "~config/JetBrains/*/options",
     .files = {{"~config/JetBrains/*/options/proxy.settings.xml",
                &edit_xml,
                {{"application/component[name=HttpConfigurable]", JETBRAINS_COMPONENT, true}},
                "each IDE's `options/proxy.settings.xml` below `~/.config/JetBrains`"}},
     .after = "close the IDE before, start it after: it writes this file when it ends"},
    {.name = "kde",
     .title = "KDE",
     .find = "plasmashell|kwriteconfig5|kwriteconfig6",
     .files = {{"~config/kioslaverc",
                &edit_kde,
                {{"Proxy Settings/ProxyType", "1", false},
                 {"Proxy Settings/httpProxy", "http://{host} {port}", true},
                 {"Proxy Settings/httpsProxy", "http://{host} {port}", true},
                 {"Proxy Settings/NoProxyFor", "{no_proxy}", false}},
                "`~/.config/kioslaverc`: `[Proxy Settings]`"}},
     .after = "log out and in again, or start the programs anew"},
    {.name = "maven",
     .title = "Maven",
     .find = "mvn|~/.m2",
     .files = {{"~/.m2/settings.xml",
                &edit_xml,
                {{"settings/proxies/proxy[id=exeat]", MAVEN_PROXY, true}},
                "`~/.m2/settings.xml`: a `<proxy>` named exeat, before any other"}}},
    {.name = "npm",
     .title = "npm",
     .find = "npm",
     .files = {{"$npm_config_userconfig|$NPM_CONFIG_USERCONFIG|~/.npmrc",
                &edit_npm,
                {{"proxy", "{url}", true}, {"https-proxy", "{url}", true}, {"noproxy", "{no_proxy}", false}},
                "`~/.npmrc` (`NPM_CONFIG_USERCONFIG`): `proxy`, `https-proxy`, `noproxy`"}},
     .environment = true},
    {.name = "nuget",
     .title = "NuGet",
     .find = "nuget|dotnet|~/.nuget",
     .files = {NUGET("!~/.nuget/NuGet/NuGet.Config", "`~/.nuget/NuGet/NuGet.Config` (dotnet): `http_proxy`"),
               NUGET("!~config/NuGet/NuGet.Config", "`~/.config/NuGet/NuGet.Config` (mono): the same")},
     .environment = true,
     .note = "where it has made the file: one without package sources would leave it without any"},
    {.name = "pip",
     .title = "pip",
     .find = "pip|pip3",
     .files = {{"$PIP_CONFIG_FILE|~config/pip/pip.conf|~/.pip/pip.conf",
                &edit_pip,
                {{"global/proxy", "{url}", true}},
                "`~/.config/pip/pip.conf` (`PIP_CONFIG_FILE`): `[global] proxy`"}},
     .environment = true},
    {.name = "pnpm",
     .title = "pnpm",
     .find = "pnpm",
     .files = {{"~config/pnpm/rc",
                &edit_npm,
                {{"proxy", "{url}", true}, {"https-proxy", "{url}", true}, {"noproxy", "{no_proxy}", false}},
                "`~/.config/pnpm/rc`: `proxy`, `https-proxy`, `noproxy`"}},
     .environment = true},
    {.name = "podman",
     .title = "Podman",
     .find = "podman",
     .files = {{"~config/containers/containers.conf.d/50-exeat.conf",
                &edit_lines,
                {{"engine", PODMAN_LINES, true}},
                "`~/.config/containers/containers.conf.d/50-exeat.conf`, a file of our own"}},
     .environment = true,
     .note = "for its own downloads, but for root's; in a container, 127.0.0.1 is the container"},
    {.name = "podman-root",
     .title = "Podman (as root)",
     .find = "podman",
     .scope = SCOPE_SYSTEM,
     .files = {{"/etc/containers/containers.conf.d/50-exeat.conf",
                &edit_lines,
                {{"engine", PODMAN_LINES, true}},
                "`/etc/containers/containers.conf.d/50-exeat.conf`, a file of our own"}},
     .runs_as = "root",
     .by_name = FOR_EVERYBODY,
     .note = "root does not read a home's; not part of `all`: for every user of the machine"},
    {.name = "snap",
     .title = "snap",
     .find = "snap",
     .scope = SCOPE_SYSTEM,
     .files = {{"/etc/systemd/system/snapd.service.d/exeat.conf",
                &edit_lines,
                {{"unit", UNIT_LINES, true}},
                "`/etc/systemd/system/snapd.service.d/exeat.conf`, a file of our own"}},
     .runs_as = "root",
     .after = "systemctl daemon-reload && systemctl restart snapd",
     .note = "snapd downloads as root"},
    {.name = "ssh",
     .title = "ssh",
     .find = "ssh",
     .files = {{"~/.ssh/config",
                &edit_lines,
                {{"block", "Host *{ssh}\n    ProxyCommand {program} connect %h %p\n", true}},
                "`~/.ssh/config`: `ProxyCommand exeat connect %h %p`, at its end"}},
     .by_name = "it would send all of ssh through the proxy, and many proxies let ssh reach port 443 at most",
     .note = "not part of `all`: many proxies let ssh reach port 443 at most"},
    {.name = "uv",
     .title = "uv",
     .find = "uv|~/.local/bin/uv",
     .scope = SCOPE_ENVIRONMENT,
     .environment = true,
     .note = "knows the environment only: `exeat env`, `exeat exec`, or the row `environment`"},
    {.name = "vscode",
     .title = "VS Code",
     .find = "code|codium|~config/Code/User|~config/VSCodium/User|~config/Code - OSS/User|~config/Code - "
             "Insiders/User",
     .files = {VSCODE("?~config/Code/User/settings.json",
                      "`settings.json` of VS Code and its relatives: `http.proxy`, `http.noProxy`"),
               VSCODE("?~config/VSCodium/User/settings.json", NULL),
               VSCODE("?~config/Code - OSS/User/settings.json", NULL),
               VSCODE("?~config/Code - Insiders/User/settings.json", NULL)},
     .environment = true},
    {.name = "wget",
     .title = "Wget",
     .find = "wget",
     .files =
         {{"$WGETRC|~/.wgetrc",
           &edit_wget,
           {{"http_proxy", "{url}", true}, {"https_proxy", "{url}", true}, {"no_proxy", "{no_proxy}", false}},
           "`~/.wgetrc` (`WGETRC`): `http_proxy`, `https_proxy`, `no_proxy`"}},
     .environment = true},
    {.name = "yarn",
     .title = "Yarn",
     .find = "yarn|yarnpkg",
     .files = {{"~/.yarnrc",
                &edit_yarn1,
                {{"proxy", "\"{url}\"", true}, {"https-proxy", "\"{url}\"", true}},
                "`~/.yarnrc` (Yarn 1): `proxy`, `https-proxy`"},
               {"~/.yarnrc.yml",
                &edit_yaml,
                {{"httpProxy", "\"{url}\"", true}, {"httpsProxy", "\"{url}\"", true}},
                "`~/.yarnrc.yml` (Yarn 2 and later): `httpProxy`, `httpsProxy`"}},
     .environment = true},
    {0},
};

const struct app *app_named(const char *name)
{
    for (const struct app *app = app_rows; app->name; app++)
        if (strcmp(app->name, name) == 0)
            return app;
    return NULL;
}

void apps_markdown(struct buf *out)
{
    buf_add_str(out, "| name | program | what is written, and where | |\n| --- | --- | --- | --- |\n");
    for (const struct app *app = app_rows; app->name; app++) {
        buf_addf(out, "| `%s` | %s | ", app->name, app->title);
        const char *between = "";
        for (const struct app_file *f = app->files; f < app->files + APP_FILES_MOST && f->paths; f++) {
            if (f->shown)
                buf_addf(out, "%s%s", between, f->shown);
            between = "; ";
        }
        buf_addf(out, " | %s%s%s |\n", app->scope == SCOPE_SYSTEM ? "needs root" : "",
                 app->scope == SCOPE_SYSTEM && app->note ? "; " : "", app->note ? app->note : "");
    }
}
