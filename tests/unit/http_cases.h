/*
 * Requests by name, with what we do to each: ACCEPTED, INCOMPLETE (we wait for more) or the status that we
 * answer. Table of struct http_case; rows are written from RFC 9110 and RFC 9112, mostly about what two
 * readers could understand in two ways.
 */
#ifndef EXEAT_TESTS_HTTP_CASES_H
#define EXEAT_TESTS_HTTP_CASES_H

#include "base/span.h"

#define R          "GET http://a.example/ HTTP/1.1\r\n"
#define P          "POST http://a.example/ HTTP/1.1\r\nHost: a.example\r\n"
#define H          "Host: a.example\r\n"
#define E          "\r\n"
#define CH         P "Transfer-Encoding: chunked\r\n\r\n"
#define TE(value)  P "Transfer-Encoding: " value "\r\n\r\n0\r\n\r\n"
#define CL(value)  P "Content-Length:" value "\r\n\r\nhello"
#define LINE(line) line "\r\n" H E

static const struct http_case {
    const char *name;
    struct span bytes;
    unsigned expected;
} http_cases[] = {
/* clang-format off */
#define CASE(name, bytes, expected) {name, {bytes, sizeof(bytes) - 1}, expected}
    /* fields */
    CASE("plain", R H "Accept: */*\r\n" E, 0),
    CASE("no space behind the colon", R H "Accept:*/*\r\n" E, 0),
    CASE("white space around a value", R "Host: \t a.example \t \r\n" E, 0),
    CASE("empty value", R H "X:\r\nY: \r\n" E, 0),
    CASE("space before colon", R H "X : y\r\n" E, 400),
    CASE("tab before colon", R H "X\t: y\r\n" E, 400),
    CASE("obs-fold", R H "X: a\r\n b\r\n" E, 400),
    CASE("obs-fold with tab", R H "X: a\r\n\tb\r\n" E, 400),
    CASE("obs-fold on Transfer-Encoding", P "Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n", 400),
    CASE("obs-fold before the end", R H "X: a\r\n \r\n" E, 400),
    CASE("white space before the first field", R " " H E, 400),
    CASE("tab before the first field", R "\t" H E, 400),
    CASE("bare LF between fields", R "Host: a.example\nX: y\r\n" E, 400),
    CASE("bare LF behind the request line", "GET http://a.example/ HTTP/1.1\n" H E, 400),
    CASE("bare LF at the end", R H "\n", 400),
    CASE("only bare LF", "GET http://a.example/ HTTP/1.1\nHost: a.example\n\n", 400),
    CASE("bare CR in a value", R H "X: a\rb\r\n" E, 400),
    CASE("bare CR that hides a field", R H "X: a\rContent-Length: 5\r\n\r\nhello", 400),
    CASE("CR CR LF", R H "X: a\r\r\n" E, 400),
    CASE("CR CR LF as the end", R H "\r\r\nX: y\r\n" E, 400),
    CASE("NUL in a value", R H "X: a\0b\r\n" E, 400),
    CASE("NUL in a name", R H "X\0Y: b\r\n" E, 400),
    CASE("control character in a value", R H "X: a\001b\r\n" E, 400),
    CASE("DEL in a value", R H "X: a\177b\r\n" E, 400),
    CASE("8-bit in a value", R H "X: caf\303\251\377\r\n" E, 0),
    CASE("tab in a value", R H "X: a\tb\r\n" E, 0),
    CASE("bad name character", R H "X(y): b\r\n" E, 400),
    CASE("8-bit in a name", R H "X\303\251: b\r\n" E, 400),
    CASE("empty name", R H ": b\r\n" E, 400),
    CASE("no colon", R H "nonsense\r\n" E, 400),
    CASE("no colon but a space", R H "some nonsense\r\n" E, 400),
    /* Content-Length */
    CASE("Content-Length", CL(" 5"), 0),
    CASE("Content-Length zero", CL(" 0"), 0),
    CASE("Content-Length with leading zeros", CL(" 0005"), 0),
    CASE("Content-Length twice the same", P "Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello", 400),
    CASE("Content-Length twice different", P "Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello", 400),
    CASE("Content-Length list", CL(" 5, 5"), 400),
    CASE("Content-Length list with different members", CL(" 5, 6"), 400),
    CASE("Content-Length list with an empty member", CL(" 5,"), 400),
    CASE("Content-Length plus", CL(" +5"), 400),
    CASE("Content-Length minus", CL(" -5"), 400),
    CASE("Content-Length minus zero", CL(" -0"), 400),
    CASE("Content-Length hex", CL(" 0x5"), 400),
    CASE("Content-Length hex digits", CL(" a"), 400),
    CASE("Content-Length octal", CL(" 0o5"), 400),
    CASE("Content-Length empty", CL(""), 400),
    CASE("Content-Length inner space", CL(" 1 0"), 400),
    CASE("Content-Length fraction", CL(" 5.0"), 400),
    CASE("Content-Length underscore", CL(" 1_0"), 400),
    CASE("Content-Length quoted", CL(" \"5\""), 400),
    CASE("Content-Length beyond 64 bit", CL(" 18446744073709551621"), 400),
    CASE("Content-Length beyond 63 bit", CL(" 9223372036854775808"), 400),
    CASE("Content-Length at 63 bit", CL(" 9223372036854775807"), 1),
    CASE("Content-Length with an underscore in its name", P "Content_Length: 5\r\n" E, 400),
    /* Transfer-Encoding */
    CASE("chunked", TE("chunked"), 0),
    CASE("chunked in capitals", TE("CHUNKED"), 0),
    CASE("Content-Length and Transfer-Encoding", P "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    CASE("Transfer-Encoding and Content-Length", P "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n", 400),
    CASE("identity", TE("identity"), 501),
    CASE("xchunked", TE("xchunked"), 501),
    CASE("chunked, identity", TE("chunked, identity"), 400),
    CASE("identity, chunked", TE("identity, chunked"), 501),
    CASE("gzip, chunked", TE("gzip, chunked"), 501),
    CASE("gzip", TE("gzip"), 501),
    CASE("chunked, chunked", TE("chunked, chunked"), 400),
    CASE("chunked with a comma behind", TE("chunked,"), 400),
    CASE("chunked with a comma before", TE(",chunked"), 400),
    CASE("chunked with a parameter", TE("chunked;x=1"), 400),
    CASE("chunked in quotes", TE("\"chunked\""), 400),
    CASE("chunked with a space inside", TE("chu nked"), 400),
    CASE("x chunked", TE("x chunked"), 400),
    CASE("empty Transfer-Encoding", TE(""), 400),
    CASE("Transfer-Encoding of a comma", TE(","), 400),
    CASE("Transfer-Encoding twice", P "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    CASE("Transfer-Encoding twice, second identity", P "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n", 400),
    CASE("Transfer-Encoding with vertical tab", TE("\vchunked"), 400),
    CASE("Transfer-Encoding with underscore", P "Transfer_Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    CASE("Transfer-Encoding in HTTP/1.0", "POST http://a.example/ HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    /* chunks */
    CASE("chunks with extension and trailer", CH "5;a=b;c=\"d\"\r\nhello\r\n0\r\nX: y\r\n\r\n", 0),
    CASE("chunk size in capitals and with zeros", CH "000A\r\n0123456789\r\n000\r\n\r\n", 0),
    CASE("chunk size with bare LF", CH "5\nhello\r\n0\r\n\r\n", 400),
    CASE("chunk size with bare CR", CH "5\rhello\r\n0\r\n\r\n", 400),
    CASE("chunk extension with bare LF", CH "5;a\nhello\r\n0\r\n\r\n", 400),
    CASE("chunk extension with bare CR", CH "5;a\rb\r\nhello\r\n0\r\n\r\n", 400),
    CASE("chunk extension without a name", CH "5;\r\nhello\r\n0\r\n\r\n", 400),
    CASE("chunk extension with NUL", CH "5;a\0\r\nhello\r\n0\r\n\r\n", 400),
    CASE("chunk size 0x5", CH "0x5\r\nhello\r\n0\r\n\r\n", 400),
    CASE("chunk size with a space behind", CH "5 \r\nhello\r\n0\r\n\r\n", 400),
    CASE("chunk size with a space before", CH " 5\r\nhello\r\n0\r\n\r\n", 400),
    CASE("chunk size with underscore", CH "0_5\r\nhello\r\n0\r\n\r\n", 400),
    CASE("chunk size minus", CH "-5\r\nhello\r\n0\r\n\r\n", 400),
    CASE("chunk size plus", CH "+5\r\nhello\r\n0\r\n\r\n", 400),
    CASE("chunk size empty", CH "\r\nhello\r\n0\r\n\r\n", 400),
    CASE("chunk size beyond 64 bit", CH "10000000000000005\r\nhello\r\n0\r\n\r\n", 400),
    CASE("chunk size of 64 bit", CH "ffffffffffffffff\r\nhello\r\n0\r\n\r\n", 400),
    CASE("chunk size of 17 digits", CH "00000000000000005\r\nhello\r\n0\r\n\r\n", 400),
    CASE("junk behind a chunk", CH "5\r\nhelloXX0\r\n\r\n", 400),
    CASE("bare LF behind a chunk", CH "5\r\nhello\n0\r\n\r\n", 400),
    CASE("chunk without its CRLF", CH "5\r\nhello0\r\n\r\n", 400),
    CASE("no last chunk", CH "5\r\nhello\r\n", 1),
    CASE("trailer without its end", CH "0\r\nX: y\r\n", 1),
    CASE("trailer with bare LF", CH "0\r\nX: y\n\r\n", 400),
    CASE("last chunk with bare LF", CH "0\r\n\n", 400),
    CASE("trailer with space before colon", CH "0\r\nX : y\r\n\r\n", 400),
    CASE("trailer with obs-fold", CH "0\r\nX: y\r\n z\r\n\r\n", 400),
    CASE("trailer that is a request", CH "0\r\nGET http://b.example/ HTTP/1.1\r\n\r\n", 400),
    /* the request line */
    CASE("version 1.0 without Host", LINE("GET http://a.example/ HTTP/1.0"), 0),
    CASE("version 1.2", LINE("GET http://a.example/ HTTP/1.2"), 0),
    CASE("version 2.0", LINE("GET http://a.example/ HTTP/2.0"), 505),
    CASE("version 0.9", LINE("GET http://a.example/ HTTP/0.9"), 505),
    CASE("preface of HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
    CASE("version of three digits", LINE("GET http://a.example/ HTTP/1.10"), 400),
    CASE("version in lower case", LINE("GET http://a.example/ http/1.1"), 400),
    CASE("version with comma", LINE("GET http://a.example/ HTTP/1,1"), 400),
    CASE("no version", LINE("GET http://a.example/"), 400),
    CASE("space behind the version", LINE("GET http://a.example/ HTTP/1.1 "), 400),
    CASE("two spaces before the target", LINE("GET  http://a.example/ HTTP/1.1"), 400),
    CASE("two spaces behind the target", LINE("GET http://a.example/  HTTP/1.1"), 400),
    CASE("space in the target", LINE("GET http://a.example/a b HTTP/1.1"), 400),
    CASE("tab before the target", LINE("GET\thttp://a.example/ HTTP/1.1"), 400),
    CASE("tab behind the target", LINE("GET http://a.example/\tHTTP/1.1"), 400),
    CASE("space before the method", LINE(" GET http://a.example/ HTTP/1.1"), 400),
    CASE("control character in the target", LINE("GET http://a.example/\001 HTTP/1.1"), 400),
    CASE("NUL in the target", LINE("GET http://a.example/\0 HTTP/1.1"), 400),
    CASE("bare CR in the target", LINE("GET http://a.example/\r HTTP/1.1"), 400),
    CASE("8-bit in the target", LINE("GET http://a.example/\303\251 HTTP/1.1"), 400),
    CASE("bytes that browsers leave as they are", LINE("GET http://a.example/{a}|^`?\"<>\\[] HTTP/1.1"), 0),
    CASE("unknown method", LINE("RPC_IN_DATA http://a.example/ HTTP/1.1"), 0),
    CASE("method of token characters", LINE("!#$%&'*+-.^_`|~09az http://a.example/ HTTP/1.1"), 0),
    CASE("bad method byte", LINE("G(T http://a.example/ HTTP/1.1"), 400),
    CASE("8-bit in the method", LINE("G\303T http://a.example/ HTTP/1.1"), 400),
    CASE("one empty line before", "\r\n" R H E, 0),
    CASE("two empty lines before", "\r\n\r\n" R H E, 0),
    CASE("three empty lines before", "\r\n\r\n\r\n" R H E, 400),
    CASE("empty line of bare LF before", "\n" R H E, 400),
    /* Host */
    CASE("no Host", R E, 400),
    CASE("two Hosts", R H H E, 400),
    CASE("two Hosts in HTTP/1.0", "GET http://a.example/ HTTP/1.0\r\n" H H E, 400),
    CASE("Host in another letter case beside Host", R H "hOST: b.example\r\n" E, 400),
    CASE("empty Host", R "Host:\r\n" E, 0),
    CASE("Host with a space", R "Host: a.example b.example\r\n" E, 400),
    CASE("Host with a list", R "Host: a.example,b.example\r\n" E, 400),
    CASE("Host with a path", R "Host: a.example/x\r\n" E, 400),
    CASE("Host with user information", R "Host: x@a.example\r\n" E, 400),
    CASE("Host with a bad port", R "Host: a.example:99999\r\n" E, 400),
    CASE("Host with a scheme", R "Host: http://a.example\r\n" E, 400),
    CASE("Host with 8-bit", R "Host: caf\303\251.example\r\n" E, 400),
    CASE("Host that is not that of the target", R "Host: b.example\r\n" E, 0),
    CASE("Host with IPv6", R "Host: [2001:db8::1]:8080\r\n" E, 0),
    CASE("no Host in HTTP/1.0", "GET http://a.example/ HTTP/1.0\r\n" E, 0),
    /* targets */
    CASE("fragment", LINE("GET http://a.example/#x HTTP/1.1"), 400),
    CASE("user information", LINE("GET http://u:p@a.example/ HTTP/1.1"), 400),
    CASE("user information behind a bad host", LINE("GET http://b.example\\@a.example/ HTTP/1.1"), 400),
    CASE("port 0", LINE("GET http://a.example:0/ HTTP/1.1"), 400),
    CASE("port 65535", LINE("GET http://a.example:65535/ HTTP/1.1"), 0),
    CASE("port 65536", LINE("GET http://a.example:65536/ HTTP/1.1"), 400),
    CASE("port with sign", LINE("GET http://a.example:+80/ HTTP/1.1"), 400),
    CASE("two ports", LINE("GET http://a.example:80:81/ HTTP/1.1"), 400),
    CASE("empty port", LINE("GET http://a.example:/ HTTP/1.1"), 0),
    CASE("empty host", LINE("GET http:///x HTTP/1.1"), 400),
    CASE("IPv6 literal", LINE("GET http://[2001:db8::1]:81/ HTTP/1.1"), 0),
    CASE("IPv6 zone", LINE("GET http://[fe80::1%25eth0]/ HTTP/1.1"), 400),
    CASE("IPv6 without its end", LINE("GET http://[2001:db8::1/ HTTP/1.1"), 400),
    CASE("percent-encoded host", LINE("GET http://%61.example/ HTTP/1.1"), 400),
    CASE("no path", LINE("GET http://a.example HTTP/1.1"), 0),
    CASE("query without path", LINE("GET http://a.example?x HTTP/1.1"), 0),
    CASE("https target", LINE("GET https://a.example/ HTTP/1.1"), 400),
    CASE("ftp target", LINE("GET ftp://a.example/ HTTP/1.1"), 501),
    CASE("scheme in capitals", LINE("GET HTTP://a.example/ HTTP/1.1"), 0),
    CASE("target without scheme", LINE("GET a.example HTTP/1.1"), 400),
    CASE("authority without CONNECT", LINE("GET a.example:80 HTTP/1.1"), 400),
    CASE("OPTIONS *", LINE("OPTIONS * HTTP/1.1"), 0),
    CASE("GET *", LINE("GET * HTTP/1.1"), 400),
    CASE("origin-form", LINE("GET /x?y HTTP/1.1"), 0),
    CASE("TRACE with Max-Forwards", "TRACE http://a.example/ HTTP/1.1\r\n" H "Max-Forwards: 3\r\n" E, 0),
    /* CONNECT */
    CASE("CONNECT", LINE("CONNECT a.example:443 HTTP/1.1"), 0),
    CASE("CONNECT in HTTP/1.0 without Host", "CONNECT a.example:443 HTTP/1.0\r\n" E, 0),
    CASE("CONNECT with early data", LINE("CONNECT a.example:443 HTTP/1.1") "\026\003\001", 0),
    CASE("CONNECT to IPv6", LINE("CONNECT [2001:db8::1]:443 HTTP/1.1"), 0),
    CASE("CONNECT without port", LINE("CONNECT a.example HTTP/1.1"), 400),
    CASE("CONNECT with empty port", LINE("CONNECT a.example: HTTP/1.1"), 400),
    CASE("CONNECT to port 0", LINE("CONNECT a.example:0 HTTP/1.1"), 400),
    CASE("CONNECT to a URL", LINE("CONNECT https://a.example/ HTTP/1.1"), 400),
    CASE("CONNECT with user information", LINE("CONNECT u@a.example:443 HTTP/1.1"), 400),
    CASE("CONNECT with Content-Length 0", "CONNECT a.example:443 HTTP/1.1\r\n" H "Content-Length: 0\r\n" E, 0),
    CASE("CONNECT with Content-Length", "CONNECT a.example:443 HTTP/1.1\r\n" H "Content-Length: 5\r\n\r\nhello", 400),
    CASE("CONNECT with chunks", "CONNECT a.example:443 HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    CASE("connect in lower case", LINE("connect a.example:443 HTTP/1.1"), 400),
    /* more */
    CASE("Upgrade", R H "Connection: Upgrade\r\nUpgrade: websocket\r\n" E, 0),
    CASE("Expect", P "Expect: 100-continue\r\nContent-Length: 5\r\n\r\nhello", 0),
    CASE("Connection names Content-Length", P "Connection: Content-Length\r\nContent-Length: 5\r\n\r\nhello", 0),
    CASE("Connection names Host", R H "Connection: Host\r\n" E, 0),
    CASE("Connection names Proxy-Authorization", R H "Connection: Proxy-Authorization\r\nProxy-Authorization: Basic eDp5\r\n" E, 0),
    CASE("request behind one that closes", R H "Connection: close\r\n" E R H E, 0),
#undef CASE
    /* clang-format on */
};
#define N_HTTP_CASES (sizeof http_cases / sizeof *http_cases)

#undef R
#undef P
#undef H
#undef E
#undef CH
#undef TE
#undef CL
#undef LINE

#endif
