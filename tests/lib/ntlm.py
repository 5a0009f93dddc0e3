"""NTLM messages (MS-NLMP) from the server's side, and enough of the client's to test with: written from the specification alone, so
that it can judge what a library made. NTLMv2 only. Plus the few bytes of SPNEGO (RFC 4178) that wrap such messages."""

import hashlib
import hmac
import os
import struct
import time

SIGNATURE = b"NTLMSSP\0"

UNICODE, OEM, REQUEST_TARGET = 0x1, 0x2, 0x4
SIGN, SEAL, NTLM = 0x10, 0x20, 0x200
DOMAIN_SUPPLIED, WORKSTATION_SUPPLIED, ANONYMOUS = 0x1000, 0x2000, 0x800
ALWAYS_SIGN, TARGET_DOMAIN, TARGET_SERVER = 0x8000, 0x10000, 0x20000
EXTENDED, TARGET_INFO, VERSION = 0x80000, 0x800000, 0x2000000
KEY_128, KEY_EXCHANGE, KEY_56 = 0x20000000, 0x40000000, 0x80000000

AV_END, AV_COMPUTER, AV_DOMAIN, AV_DNS_COMPUTER, AV_DNS_DOMAIN, AV_FLAGS, AV_TIME, AV_TARGET, AV_BINDINGS = 0, 1, 2, 3, 4, 6, 7, 9, 10

TYPE2_FLAGS = UNICODE | REQUEST_TARGET | NTLM | ALWAYS_SIGN | TARGET_DOMAIN | EXTENDED | TARGET_INFO | VERSION | KEY_128 | KEY_56


class NtlmError(ValueError):
    """The message is not what MS-NLMP describes."""


def md4(data):
    """RFC 1320; OpenSSL 3 hides its own."""
    def turn(value, count):
        value &= 0xFFFFFFFF
        return (value << count | value >> 32 - count) & 0xFFFFFFFF

    length = struct.pack("<Q", 8 * len(data))
    data += b"\x80" + b"\0" * ((55 - len(data)) % 64) + length
    a, b, c, d = 0x67452301, 0xEFCDAB89, 0x98BADCFE, 0x10325476
    order2 = [0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15]
    order3 = [0, 8, 4, 12, 2, 10, 6, 14, 1, 9, 5, 13, 3, 11, 7, 15]
    for at in range(0, len(data), 64):
        x = struct.unpack("<16I", data[at:at + 64])
        aa, bb, cc, dd = a, b, c, d
        for i in range(16):
            a, b, c, d = d, turn(a + (b & c | ~b & d) + x[i], (3, 7, 11, 19)[i % 4]), b, c
        for i in range(16):
            a, b, c, d = d, turn(a + (b & c | b & d | c & d) + x[order2[i]] + 0x5A827999, (3, 5, 9, 13)[i % 4]), b, c
        for i in range(16):
            a, b, c, d = d, turn(a + (b ^ c ^ d) + x[order3[i]] + 0x6ED9EBA1, (3, 9, 11, 15)[i % 4]), b, c
        a, b, c, d = (a + aa) & 0xFFFFFFFF, (b + bb) & 0xFFFFFFFF, (c + cc) & 0xFFFFFFFF, (d + dd) & 0xFFFFFFFF
    return struct.pack("<4I", a, b, c, d)


def rc4(key, data):
    s, j = list(range(256)), 0
    for i in range(256):
        j = (j + s[i] + key[i % len(key)]) & 255
        s[i], s[j] = s[j], s[i]
    out, i, j = bytearray(), 0, 0
    for byte in data:
        i = (i + 1) & 255
        j = (j + s[i]) & 255
        s[i], s[j] = s[j], s[i]
        out.append(byte ^ s[(s[i] + s[j]) & 255])
    return bytes(out)


def hmac_md5(key, data):
    return hmac.new(key, data, hashlib.md5).digest()


def key_v2(user, domain, password):
    """NTOWFv2 (MS-NLMP 3.3.2)."""
    return hmac_md5(md4(password.encode("utf-16-le")), (user.upper() + domain).encode("utf-16-le"))


def av_pairs(pairs):
    out = b""
    for number, value in pairs:
        if isinstance(value, str):
            value = value.encode("utf-16-le")
        out += struct.pack("<HH", number, len(value)) + value
    return out + b"\0\0\0\0"


def read_av_pairs(data):
    pairs, at = [], 0
    while True:
        if at + 4 > len(data):
            raise NtlmError("AV pairs without an end")
        number, length = struct.unpack_from("<HH", data, at)
        at += 4
        if number == AV_END:
            return pairs
        if at + length > len(data):
            raise NtlmError("AV pair longer than its list")
        pairs.append((number, data[at:at + length]))
        at += length


def _field(message, at):
    length, _room, offset = struct.unpack_from("<HHI", message, at)
    if length and offset + length > len(message):
        raise NtlmError("a field lies outside of the message")
    return message[offset:offset + length]


def kind(message):
    """1, 2 or 3; 0: no NTLM message."""
    if len(message) < 12 or not message.startswith(SIGNATURE):
        return 0
    return struct.unpack_from("<I", message, 8)[0]


def type1(flags=UNICODE | OEM | REQUEST_TARGET | NTLM | ALWAYS_SIGN | EXTENDED | KEY_128 | KEY_56):
    return SIGNATURE + struct.pack("<II", 1, flags) + b"\0" * 16


def filetime():
    """Now, as MS-DTYP 2.3.3 counts."""
    return struct.pack("<Q", int((time.time() + 11644473600) * 10000000))


def type2_flags(message1):
    """What a server agrees to: its own flags, and what the client asked for of signing, sealing and key exchange."""
    return TYPE2_FLAGS | (struct.unpack_from("<I", message1, 12)[0] & (SIGN | SEAL | KEY_EXCHANGE))


def type2(challenge, target="CORP", flags=TYPE2_FLAGS, timestamp=True, pairs=None, target_length=None):
    """A CHALLENGE_MESSAGE. target_length: what the length field shall claim instead of the truth."""
    name = target.encode("utf-16-le")
    if pairs is None:
        pairs = [(AV_DOMAIN, "CORP"), (AV_COMPUTER, "PROXY"), (AV_DNS_DOMAIN, "corp.example"), (AV_DNS_COMPUTER, "proxy.corp.example")]
        if timestamp:
            pairs.append((AV_TIME, filetime()))
    info = av_pairs(pairs)
    claimed = len(name) if target_length is None else target_length
    head = SIGNATURE + struct.pack("<IHHII", 2, claimed, claimed, 56, flags) + challenge + b"\0" * 8
    head += struct.pack("<HHI", len(info), len(info), 56 + len(name)) + b"\x06\x01\xb1\x1d\0\0\0\x0f"
    return head + name + info


class Type3:
    """An AUTHENTICATE_MESSAGE, taken apart."""

    def __init__(self, message):
        if kind(message) != 3 or len(message) < 64:
            raise NtlmError("no AUTHENTICATE_MESSAGE")
        self.message = message
        self.lm, self.nt = _field(message, 12), _field(message, 20)
        self.flags, = struct.unpack_from("<I", message, 60)
        charset = "utf-16-le" if self.flags & UNICODE else "latin-1"
        self.domain = _field(message, 28).decode(charset)
        self.user = _field(message, 36).decode(charset)
        self.workstation = _field(message, 44).decode(charset)
        self.session_key = _field(message, 52)
        self.pairs = read_av_pairs(self.nt[16 + 28:]) if len(self.nt) > 24 else []

    def pair(self, number):
        return dict(self.pairs).get(number)

    def has_mic(self):
        return bool(struct.unpack("<I", self.pair(AV_FLAGS) or b"\0\0\0\0")[0] & 2)

    def verify(self, password, challenge, first=None, second=None):
        """Was it made with this password for this challenge? With the two messages before it the MIC is judged too."""
        if len(self.nt) <= 24:
            return False  # NTLMv1
        key = key_v2(self.user, self.domain, password)
        proof = hmac_md5(key, challenge + self.nt[16:])
        if not hmac.compare_digest(proof, self.nt[:16]):
            return False
        if self.has_mic() and first is not None:
            base = hmac_md5(key, proof)
            session = rc4(base, self.session_key) if self.flags & KEY_EXCHANGE else base
            blank = self.message[:72] + b"\0" * 16 + self.message[88:]
            return hmac_md5(session, first + second + blank) == self.message[72:88]
        return True


def type3(message2, user, password, domain="CORP", workstation="HERE", flags=UNICODE | NTLM | EXTENDED, first=None):
    """What a client answers: NTLMv2. first: with a MIC, over this message of type 1 and the other two (without a session key of its own). Names are in UTF-16,
    or as the flags say."""
    challenge = message2[24:32]
    info = _field(message2, 40)
    key = key_v2(user, domain, password)
    stamp = dict(read_av_pairs(info)).get(AV_TIME, b"\0" * 8)
    if first is not None:
        info = av_pairs([pair for pair in read_av_pairs(info) if pair[0] != AV_FLAGS] + [(AV_FLAGS, b"\2\0\0\0")])
    blob = b"\1\1" + b"\0" * 6 + stamp + os.urandom(8) + b"\0" * 4 + info + b"\0" * 4
    proof = hmac_md5(key, challenge + blob)
    charset = "utf-16-le" if flags & UNICODE else "latin-1"
    parts = [b"\0" * 24, proof + blob, domain.encode(charset), user.encode(charset), workstation.encode(charset), b""]
    at, fields, payload = 64 if first is None else 88, b"", b""
    for part in parts:
        fields += struct.pack("<HHI", len(part), len(part), at + len(payload))
        payload += part
    head = SIGNATURE + struct.pack("<I", 3) + fields + struct.pack("<I", flags)
    if first is None:
        return head + payload
    mic = hmac_md5(hmac_md5(key, proof), first + message2 + head + b"\0" * 24 + payload)
    return head + b"\0" * 8 + mic + payload


# --- SPNEGO

OID_SPNEGO = bytes.fromhex("06062b0601050502")
OID_NTLM = bytes.fromhex("060a2b06010401823702020a")
OID_KRB5 = bytes.fromhex("06092a864886f712010202")


def der(tag, content):
    if len(content) < 128:
        return bytes((tag, len(content))) + content
    length = len(content).to_bytes((len(content).bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(length))) + length + content


def spnego_response(token, state=1, mech=OID_NTLM):
    """NegTokenResp with a token of the mechanism: state 0 accepted, 1 incomplete, 2 rejected."""
    inside = der(0xA0, der(0x0A, bytes((state,))))
    if mech:
        inside += der(0xA1, mech)
    if token:
        inside += der(0xA2, der(0x04, token))
    return der(0xA1, der(0x30, inside))


def find(data):
    """The NTLM message inside a SPNEGO token (or the token itself), or b""."""
    at = data.find(SIGNATURE)
    return data[at:] if at >= 0 else b""
