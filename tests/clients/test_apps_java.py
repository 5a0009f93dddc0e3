"""Real programs that "exeat apps set" has pointed at the agent: those that run on Java's or .NET's machine. Where they are installed (not in packages.txt:
together they are some hundred megabytes)."""

import os
import subprocess

import content
import world
from plain import plain
from programs import Kind, ProgramTest, add_tests
from session import HTTP, HTTPS
from test_apps import FILES

JAVA = "/usr/lib/jvm/java-17-openjdk-amd64"
PROPERTIES = "/etc/java-17-openjdk/net.properties"
FETCH = """
import java.net.*;
public class Fetch {
    public static void main(String[] urls) throws Exception {
        for (String url : urls)
            System.out.println(new URL(url).openStream().readAllBytes().length);
    }
}
"""
BUILD = """
subprojects {
    repositories { maven { url project.name == 'secure' ? '%s' : '%s' } }
    configurations { lab }
    dependencies { lab 'lab:parent:1@pom' }
    task fetch { doLast { configurations.lab.files.each { println "got " + it.name } } }
}
"""


def _read(path):
    try:
        with open(path) as file:
            return file.read()
    except OSError:
        return ""


KINDS = {
    "gradle": Kind("gradle " + JAVA, {".gradle/gradle.properties": "org.gradle.daemon=false"}),
    "java": Kind("%s/bin/javac %s" % (JAVA, PROPERTIES), {PROPERTIES: _read(PROPERTIES)}),
    "nuget": Kind("nuget", {".config/NuGet/NuGet.Config": '<?xml version="1.0"?>\n<configuration>\n  <config />\n</configuration>\n'}, tunnel=False),
}


class Downloads:
    @staticmethod
    def java(test):
        with open(test.work + "/Fetch.java", "w") as file:
            file.write(FETCH)
        said = test.run_program(*test.with_system_file(PROPERTIES, JAVA + "/bin/java", *test.trust(), "Fetch.java", HTTP + "/bytes/1000", HTTPS + "/bytes/1000"))
        test.assertEqual(said.split(), ["1000", "1000"])

    @staticmethod
    def gradle(test):
        """Java does not look at HOME, so neither does Gradle."""
        for name, text in (("settings.gradle", "include 'plain', 'secure'\n"), ("build.gradle", BUILD % (HTTPS + FILES + "/maven", HTTP + FILES + "/maven"))):
            with open(test.work + "/" + name, "w") as file:
                file.write(text)
        said = test.run_program("gradle", "--no-daemon", "-q", "fetch", GRADLE_USER_HOME=test.home + "/.gradle", JAVA_HOME=JAVA, JAVA_OPTS=" ".join(test.trust()),
                                GRADLE_OPTS="-Duser.home=" + test.home)
        test.assertEqual(said.count("got parent-1.pom"), 2, said)

    @staticmethod
    def nuget(test):
        test.run_program("nuget", "install", content.NUGET, "-Version", "1.0.0", "-NoCache", "-Source", HTTP + FILES + "/nuget", "-OutputDirectory",
                         test.work + "/packages")
        test.assertTrue(os.path.exists(test.work + "/packages/%s.1.0.0" % content.NUGET))


@plain("most of its time is other programs'")
class JavaTest(ProgramTest):
    def trust(self):
        """Options for a Java that trusts the lab."""
        store = self.work + "/store.p12"
        if not os.path.exists(store):
            subprocess.run(["keytool", "-importcert", "-noprompt", "-alias", "lab", "-file", world.CA_CERT, "-keystore", store, "-storepass", "changeit"],
                           check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        return ("-Djavax.net.ssl.trustStore=" + store, "-Djavax.net.ssl.trustStorePassword=changeit")


add_tests(JavaTest, Downloads, KINDS)
