"""Scripts as administrators write them: the language, the functions, encodings, errors with file and line."""
import datetime
import unittest

from script import Failed, Script, value

TYPICAL = """
// Goes direct inside, by two proxies outside.
function FindProxyForURL(url, host)
{
    host = host.toLowerCase();
    if (isPlainHostName(host) || dnsDomainIs(host, ".corp.example") || localHostOrDomainIs(host, "www.corp.example"))
        return "DIRECT";
    if (shExpMatch(host, "(*.intranet.example|intranet.example)"))
        return "DIRECT";
    if (isInNet(dnsResolve(host), "10.0.0.0", "255.0.0.0") || isInNet(host, "192.168.0.0", "255.255.0.0"))
        return "DIRECT";
    if (url.substring(0, 4) == "ftp:")
        return "PROXY ftp-proxy.corp.example:2121";
    if (isInNet(myIpAddress(), "172.16.0.0", "255.240.0.0"))
        return "PROXY branch.corp.example:3128; DIRECT";
    return "PROXY one.corp.example:8080; PROXY two.corp.example:8080";
}
"""

MODERN = """
const inside = new Map([["corp.example", "DIRECT"], ["lab.example", "SOCKS5 lab.example"]]);
let asked = 0;
class Answer { #text; constructor(text) { this.#text = text; } toString() { return `${this.#text}`; } }
const suffix = (host) => host.split(".").slice(-2).join(".");
const FindProxyForURL = (url, host, ...rest) => {
    asked += 1;
    for (const [name, answer] of inside)
        if (suffix(host) === name) return new Answer(answer).toString();
    const { length = 0 } = rest;
    return host?.startsWith("www.") && ["a", "b"].includes("b") ? `PROXY p${asked ** 2}.example:80${length}` : "DIRECT";
};
"""

OLD = """
var proxies = new Array("a", "b");
function pick(host) {
    var sum = 0;
    for (var i = 0; i < host.length; i++) { sum += host.charCodeAt(i); }
    with (Math) { return proxies[abs(sum) % proxies.length]; }
}
function FindProxyForURL(url, host) {
    var re = /^([a-z]+):\\/\\/([^\\/:]+)/i, parts = url.match(re), o = { class: 1, };
    if (!parts) return "DIRECT";
    switch (parts[1]) { case 'https': return "HTTPS " + pick(host); default: return "PROXY " + pick(host) + ":" + 8080; }
}
"""


class Scripts(unittest.TestCase):
    def test_a_typical_script(self):
        names = {"ten.example": "10.1.2.3", "out.example": "203.0.113.9"}
        rows = [("intern", "DIRECT"), ("a.corp.example", "DIRECT"), ("b.intranet.example", "DIRECT"), ("intranet.example", "DIRECT"),
                ("ten.example", "DIRECT"), ("192.168.7.8", "DIRECT"),
                ("out.example", "PROXY one.corp.example:8080; PROXY two.corp.example:8080"),
                ("unknown.example", "PROXY one.corp.example:8080; PROXY two.corp.example:8080")]
        with Script(TYPICAL, names=names) as script:
            for host, answer in rows:
                self.assertEqual(script.find("http://%s/" % host, host), answer, host)
            self.assertEqual(script.find("ftp://out.example/", "out.example"), "PROXY ftp-proxy.corp.example:2121")
            script.mine = "172.17.0.9"
            self.assertEqual(script.find("http://out.example/", "out.example"), "PROXY branch.corp.example:3128; DIRECT")

    def test_todays_javascript(self):
        with Script(MODERN) as script:
            self.assertEqual(script.find(host="x.corp.example"), "DIRECT")
            self.assertEqual(script.find(host="x.lab.example"), "SOCKS5 lab.example")
            self.assertEqual(script.find(host="www.example"), "PROXY p9.example:800")

    def test_yesterdays_javascript(self):
        with Script(OLD) as script:
            self.assertEqual(script.find("http://ab/", "ab"), "PROXY b:8080")
            self.assertEqual(script.find("https://ab/", "ac"), "HTTPS a")

    def test_the_ex_function_is_preferred(self):
        both = "function FindProxyForURL() { return 'PROXY plain:1'; } function FindProxyForURLEx() { return 'PROXY ex:1'; }"
        with Script(both) as script:
            self.assertEqual(script.find(), "PROXY ex:1")
        with Script("function FindProxyForURLEx(url, host) { return isInNetEx(dnsResolveEx(host), '2001:db8::/32') ? 'DIRECT' : 'PROXY a'; }",
                    names={"six.example": "192.0.2.1;2001:db8::1"}) as script:
            self.assertEqual(script.find(host="six.example"), "DIRECT")
            self.assertEqual(script.find(host="none.example"), "PROXY a")

    def test_state_lives_between_questions(self):
        with Script("var n = 0; function FindProxyForURL() { return 'PROXY p:' + ++n; }") as script:
            self.assertEqual([script.find() for _ in range(3)], ["PROXY p:1", "PROXY p:2", "PROXY p:3"])

    def test_an_empty_result(self):
        with Script("function FindProxyForURL() { return ''; }") as script:
            self.assertEqual(script.find(), "")

    def test_arguments_are_values_not_program_text(self):
        evil = ["');throw 1;//", "\\", "\"", "\u2028", "${1}", "a\nb", "*/ x /*", "\0"]
        with Script("function FindProxyForURL(url, host) { return url.length + ' ' + host; }") as script:
            for text in evil:
                self.assertEqual(script.find("http://x/" + text, text), "%d %s" % (9 + len(text), text))

    def test_arguments_that_are_no_utf_8(self):
        with Script("function FindProxyForURL(url, host) { return host.length + ':' + host.charCodeAt(0); }") as script:
            self.assertEqual(script.find(host=b"\xe4x"), "2:228")
            self.assertEqual(script.find(host="\u00e4x"), "2:228")
            self.assertEqual(script.find(host="\U0001f600"), "2:55357")

    def test_one_script_after_the_other_is_refused(self):
        with Script("function FindProxyForURL() { return 'DIRECT'; }") as script:
            script.send("LOAD", 7, name="n", script="s")
            self.assertEqual(script.process.wait(60), 1)
            self.assertIn(b"does not belong here", script.said())

    def test_many_questions(self):
        with Script(TYPICAL, names={}) as script:
            for i in range(2000):
                self.assertTrue(script.find("http://h%d.example/" % i, "h%d.example" % i).startswith("PROXY one"))


class Functions(unittest.TestCase):
    """That each function is there, and goes through the engine with its values as they should be; the rows are in tests/unit."""

    def test_each(self):
        rows = [
            ("isPlainHostName('www')", "true"), ("dnsDomainIs('a.example', '.example')", "true"),
            ("localHostOrDomainIs('www', 'www.example')", "true"), ("isResolvable('four.example')", "true"),
            ("isResolvable('six.example')", "false"), ("isResolvableEx('six.example')", "true"),
            ("isInNet('four.example', '192.0.2.0', '255.255.255.0')", "true"), ("dnsResolve('four.example')", "192.0.2.4"),
            ("dnsResolve('none.example') === null", "true"), ("dnsResolveEx('six.example')", "2001:db8::6"),
            ("myIpAddress()", "192.0.2.7"), ("myIpAddressEx()", "192.0.2.7;2001:db8::1"),
            ("dnsDomainLevels('a.b.c') + 1", "3"), ("shExpMatch('http://a/b', '*/b')", "true"),
            ("convert_addr('255.0.0.1') === (255 << 24 | 1)", "true"), ("isInNetEx('10.0.0.1', '10.0.0.0/8')", "true"),
            ("sortIpAddressList('2.0.0.0;1.0.0.0')", "1.0.0.0;2.0.0.0"), ("getClientVersion()", "1.0"),
            ("alert('x') === undefined", "true"), ("typeof weekdayRange('MON')", "boolean"), ("typeof dateRange(1)", "boolean"),
            ("typeof timeRange(1)", "boolean"), ("weekdayRange('SUN', 'SAT')", "true"), ("timeRange(0, 23)", "true"), ("dateRange(1, 31)", "true"),
            ("dnsDomainLevels.call(null, 'a.b')", "1"), ("shExpMatch.apply(this, ['a', '?'])", "true"),
            ("isPlainHostName()", "false"), ("dnsResolve(null)", "null"), ("dnsResolve(undefined)", "null"), ("isInNet()", "false"),
            ("dnsDomainLevels({ toString: function () { return 'a.b.c'; } })", "2"), ("isPlainHostName(12)", "true"),
        ]
        kwargs = {"names": {"four.example": "192.0.2.4", "six.example": "2001:db8::6"}, "mine": "192.0.2.7;2001:db8::1"}
        expressions = ",".join("function () { return %s; }" % expression for expression, _ in rows)
        with Script("var all = [%s]; function FindProxyForURL(url, host) { return String(all[+host]()); }" % expressions, **kwargs) as script:
            for i, (expression, answer) in enumerate(rows):
                self.assertEqual(script.find(host=str(i)), answer, expression)
            self.assertEqual(script.alerts, ["x"])

    def test_names_are_asked_of_the_agent_and_addresses_are_not(self):
        with Script("function FindProxyForURL(url, host) { return String(dnsResolve(host)) + isInNet(host, '1.2.3.4', '255.255.255.255'); }",
                    names={"a.example": "1.2.3.4"}) as script:
            self.assertEqual(script.find(host="a.example"), "1.2.3.4true")
            self.assertEqual(script.asked, ["a.example", "a.example"])
            self.assertEqual(script.find(host="1.2.3.4"), "1.2.3.4true")
            self.assertEqual(len(script.asked), 2)

    def test_a_script_may_replace_them_for_itself(self):
        text = "function isPlainHostName() { return 'mine'; } dnsResolve = 7; function FindProxyForURL(u, h) { return isPlainHostName(h) + dnsResolve; }"
        with Script(text) as script:
            self.assertEqual(script.find(), "mine7")

    def test_an_exception_in_an_argument_is_the_scripts_own(self):
        text = ("function FindProxyForURL() { try { isPlainHostName({ toString: function () { throw new Error('mine'); } }); }"
                "catch (e) { return e.message; } }")
        with Script(text) as script:
            self.assertEqual(script.find(), "mine")

    def test_a_few_alerts_get_through(self):
        with Script("function FindProxyForURL(u, h) { for (var i = 0; i < 1000; i++) alert(i + Array(5000).join('\u00e4')); return 'DIRECT'; }") as script:
            self.assertEqual(script.find(), "DIRECT")
            self.assertEqual(len(script.alerts), 16)
            self.assertTrue(script.alerts[3].startswith("3\u00e4"))
            script.alerts.clear()
            script.find()
            self.assertEqual(len(script.alerts), 16)


class Zones(unittest.TestCase):
    """In the sandbox there are no files, and the time zone is known all the same."""

    def test_time_zone(self):
        for zone, offset in (("UTC", 0), ("Asia/Kolkata", -330), ("America/New_York", 240)):
            with self.subTest(zone):
                self.assertEqual(value("new Date(2024, 6, 1).getTimezoneOffset()", environment={"TZ": zone}), str(offset))

    def test_both_clocks_agree(self):
        """The engine's Date and our own functions show the same hour and day, in a zone that is far away."""
        text = ("var days = ['SUN', 'MON', 'TUE', 'WED', 'THU', 'FRI', 'SAT'];"
                "function look() { var d = new Date(); return [timeRange(d.getHours()), weekdayRange(days[d.getDay()]), dateRange(d.getDate()),"
                "timeRange(d.getUTCHours(), 'GMT'), dateRange(d.getFullYear())].join(); }"
                "function FindProxyForURL() { var s = look(); return s == 'true,true,true,true,true' ? s : look(); }")  # once more at midnight
        for zone in ("Pacific/Kiritimati", "Pacific/Pago_Pago"):
            with Script(text, environment={"TZ": zone}) as script:
                self.assertEqual(script.find(), "true,true,true,true,true")

    def test_without_a_setting(self):
        import os
        with Script("function FindProxyForURL() { return String(new Date(2024, 6, 1).getTimezoneOffset()); }",
                    environment={"TZ": ""} if "TZ" not in os.environ else {}) as script:
            here = -int(datetime.datetime(2024, 7, 1).astimezone().utcoffset().total_seconds() // 60)
            self.assertEqual(script.find(), str(here))


class Encodings(unittest.TestCase):
    TEXT = "// Gr\u00fc\u00dfe\nfunction FindProxyForURL(url, host) { return 'PROXY ' + '\u00e4\u00f6'.length + '\u00e4'.charCodeAt(0); }"

    def test_all(self):
        rows = {"UTF-8": self.TEXT.encode(), "UTF-8 with a mark": b"\xef\xbb\xbf" + self.TEXT.encode(), "Latin-1": self.TEXT.encode("latin-1"),
                "UTF-16 LE": b"\xff\xfe" + self.TEXT.encode("utf-16-le"), "UTF-16 BE": b"\xfe\xff" + self.TEXT.encode("utf-16-be"),
                "CR LF": self.TEXT.replace("\n", "\r\n").encode(), "CR": self.TEXT.replace("\n", "\r").encode()}
        for name, text in rows.items():
            with self.subTest(name), Script(text) as script:
                self.assertEqual(script.find(), "PROXY 2228")


class Errors(unittest.TestCase):
    def loading(self, text, name="http://wpad.example/proxy.pac"):
        with Script() as script, self.assertRaises(Failed) as caught:
            script.load(text, name)
        return str(caught.exception)

    def finding(self, body):
        with Script("function FindProxyForURL(url, host) {\n%s\n}" % body, "proxy.pac") as script, self.assertRaises(Failed) as caught:
            script.find()
        return str(caught.exception)

    def test_loading(self):
        self.assertEqual(self.loading("var a = 1;\nvar b = ;\n"), "http://wpad.example/proxy.pac:2: SyntaxError: Unexpected token ';'")
        self.assertEqual(self.loading("\n\n\nnothing.at.all;"), "http://wpad.example/proxy.pac:4: ReferenceError: Can't find variable: nothing")
        self.assertIn(": there is no function FindProxyForURL in it", self.loading("var a = 1;"))
        self.assertIn(": there is no function FindProxyForURL in it", self.loading("var FindProxyForURL = 'DIRECT';"))
        self.assertIn("SyntaxError", self.loading("<html><body>Please log in</body></html>"))
        self.assertIn(":1: ", self.loading("throw new Error('x')"))

    def test_finding(self):
        self.assertEqual(self.finding("return nothing;"), "proxy.pac:2: ReferenceError: Can't find variable: nothing")
        self.assertEqual(self.finding("\n\nthrow new TypeError('mine');"), "proxy.pac:4: TypeError: mine")
        self.assertEqual(self.finding("throw 'mine';"), "proxy.pac: uncaught exception: mine")
        self.assertEqual(self.finding("throw null;"), "proxy.pac: uncaught exception: null")

    def test_no_text(self):
        for text, words in (("return null;", "null"), ("", "nothing (undefined)"), ("return 7;", "a number"), ("return true;", "a truth value"),
                            ("return ['DIRECT'];", "an object"), ("return new String('DIRECT');", "an object"), ("return Symbol();", "a symbol")):
            self.assertEqual(self.finding(text), "proxy.pac: FindProxyForURL returned %s instead of a text such as \"DIRECT\"" % words)

    def test_after_an_error_it_goes_on(self):
        with Script("function FindProxyForURL(url, host) { if (host == 'bad') throw 1; return 'DIRECT'; }") as script:
            for _ in range(3):
                self.assertRaises(Failed, script.find, host="bad")
                self.assertEqual(script.find(host="good"), "DIRECT")
