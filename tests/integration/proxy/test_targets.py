"""Where the filter lets requests and tunnels go: addresses, their spellings, names, ports and lists."""

import json
from collections.abc import Mapping

import pytest

from tests.integration.proxy.decisions import Case, Outcome, both, check, connect, get, outcomes, refused
from tests.integration.proxy.filters import Filters
from tests.integration.proxy.world import PUBLIC, PUBLIC_6

# What is special, and the last address before and the first after it, which are not.
SPECIAL = {
    "unspecified": "0.0.0.0 ::",
    "reserved": "0.0.0.1 0.255.255.255 192.0.0.1 192.0.0.255 240.0.0.0 255.255.255.254 2001:1::1 2001:10::1 "
    "2001:1ff::1 4000::1 1::1 64:ff9c::1 e000::1 200::1",
    "private": "10.0.0.0 10.0.0.1 10.255.255.255 172.16.0.1 172.31.255.255 192.168.0.1 192.168.255.255 fc00::1 "
    "fd00::1 fdff:ffff::1",
    "CGNAT": "100.64.0.1 100.64.0.100 100.127.255.254",
    "loopback": "127.0.0.1 127.0.1.1 127.255.255.255 ::1",
    "link-local": "169.254.0.1 169.254.255.255 fe80::1 febf::1",
    "metadata": "169.254.169.254 169.254.170.2 169.254.170.23 100.100.100.200 192.0.0.192 168.63.129.16 "
    "fd00:ec2::254 fd20:ce::254",
    "documentation": "192.0.2.1 198.51.100.1 203.0.113.255 2001:db8::1 3fff::1",
    "6to4": "192.88.99.1 2002:c000:201::1 2002:a00:1::1 2002:808:808::1",
    "benchmarking": "198.18.0.1 198.19.255.255",
    "multicast": "224.0.0.1 239.255.255.255 ff02::1 ff02::2 ffff::1",
    "broadcast": "255.255.255.255",
    "IPv4-compatible": "::127.0.0.1 ::8.8.8.8 ::2",
    "NAT64": "64:ff9b::ac1c:5 64:ff9b::c000:201 64:ff9b::a00:1 64:ff9b::808:808 64:ff9b::ffff:ffff 64:ff9b:1::1",
    "Teredo": "2001:0:4136:e378:8000:63bf:3fff:fdd2 2001:0:1234:5678:9abc:def0:1234:5678",
    "discard": "100::1",
    "site-local": "fec0::1",
}
ORDINARY = (
    "1.0.0.0 9.255.255.255 11.0.0.0 8.8.8.8 8.8.9.8 100.63.255.254 100.128.0.1 126.255.255.255 128.0.0.1 "
    "169.253.255.255 169.255.0.0 172.15.255.255 172.32.0.0 192.0.1.0 192.0.3.0 192.88.98.255 192.88.100.0 "
    "192.167.255.255 192.169.0.0 198.17.255.255 198.20.0.0 198.51.99.255 198.51.101.0 203.0.112.255 203.0.114.0 "
    "223.255.255.255 168.63.129.15 2001:4860:4860::8888 2606:4700:4700::1111 2001:200::1 2003::1 3ffe::1"
)
ADDRESSES = [
    case
    for kind, addresses in SPECIAL.items()
    for address in addresses.split()
    for case in both(f"[{address}]" if ":" in address else address, dial="", kind=kind)
] + [
    case
    for address in ORDINARY.split()
    for case in both(f"[{address}]" if ":" in address else address, dial=address)
]

SPELLINGS = [
    case
    for spelling, kind in {
        "127.1": "loopback",
        "127.0.1": "loopback",
        "0x7f.1": "loopback",
        "0x7f000001": "loopback",
        "0X7F.0.0.1": "loopback",
        "2130706433": "loopback",
        "0177.0.0.1": "loopback",
        "017700000001": "loopback",
        "127.0.0.1.": "loopback",
        "0": "unspecified",
        "0x0": "unspecified",
        "10.1": "private",
        "0xa.1": "private",
        "167772161": "private",
        "0xa9fea9fe": "metadata",
        "2852039166": "metadata",
        "0251.0376.0251.0376": "metadata",
        "[::ffff:127.0.0.1]": "loopback",
        "[::ffff:7f00:1]": "loopback",
        "[0:0:0:0:0:ffff:7f00:0001]": "loopback",
        "[::FFFF:169.254.169.254]": "metadata",
        "[::ffff:10.0.0.1]": "private",
        "[0:0:0:0:0:0:0:1]": "loopback",
        "[::1%25lo]": "loopback",
        "[::1%lo]": "loopback",
        "[fe80::1%25eth0]": "link-local",
        "[FE80::1]": "link-local",
        "%31%32%37.0.0.1": "loopback",
        "\xef\xbc\x91\xef\xbc\x92\xef\xbc\x97.0.0.1": "loopback",  # full-width digits
        "127\xe3\x80\x820\xe3\x80\x820\xe3\x80\x821": "loopback",  # ideographic full stops
        "%e2%91%a0%e2%91%a1%e2%91%a6.1": "loopback",  # digits in circles
    }.items()
    for case in both(spelling, dial="", kind=kind)
] + [
    case
    for spelling, dial in {
        "134744072": "8.8.8.8",
        "0x8.0x8.0x8.0x8": "8.8.8.8",
        "010.8.2056": "8.8.8.8",
        "8.8.8.8.": "8.8.8.8",
        "[::ffff:8.8.8.8]": "8.8.8.8",
        "[2606:2800:0220:0001:0:0:0:1]": PUBLIC_6,
        "[2606:2800:220:1::1%25eth0]": PUBLIC_6,
        "[2606:2800:220:1::0.0.0.1]": PUBLIC_6,
        "[2606:2800:220:1::18.8.8.8]": "2606:2800:220:1::1208:808",
    }.items()
    for case in both(spelling, dial=dial)
]

NAMES = (
    [
        case
        for name in (
            "public.test",
            "PUBLIC.Test",
            "public.test.",
            "public%2etest",
            "under_score.test",
            "xn--bcher-kva.test",
            "b\xc3\xbccher.test",
            "b%C3%BCcher.test",
            "B\xc3\x9cCHER.test",
            "\xf0\x9f\x94\x90.test",
        )
        for case in both(name, dial=PUBLIC)
    ]
    + [
        case
        for name, kind in {
            "private.test": "private",
            "loopback.test": "loopback",
            "loopback-six.test": "loopback",
            "localhost": "loopback",
            "metadata.test": "metadata",
            "mixed.test": "private",
            "mixed-last.test": "private",
            "mixed-six.test": "private",
            "mapped.test": "IPv4-mapped",
            "nat64.test": "NAT64",
            "six-to-four.test": "6to4",
            "teredo.test": "Teredo",
            "unspecified.test": "unspecified",
            "cgnat.test": "CGNAT",
            "link-local.test": "link-local",
        }.items()
        for case in both(name, dial="", kind=kind)
    ]
    + [
        case
        for name in ("missing.test", "empty.test", "failing.test")
        for case in (
            refused(f"GET {name}", get(name), "dns", status=403),
            refused(f"CONNECT {name}", connect(f"{name}:443"), "dns", status=403),
        )
    ]
)

# host:port as CONNECT has it; the classes are those that stripe/smokescreen tests, which is more lenient.
MALFORMED = [
    refused(f"CONNECT {text!r}", f"CONNECT {text} HTTP/1.1\r\nHost: {text}\r\n\r\n", f"syntax: {what}")
    for text, what in {
        "public.test": "bad host or port",
        "public.test:": "bad host or port",
        ":": "bad host or port",
        "::": "bad host or port",
        ":443": "bad host or port",
        "2606:2800:220:1::1": "bad host or port",
        "2606:2800:220:1::1:443": "bad host or port",
        "[public.test]:443": "bad IPv6 address",
        "[[public.test]]:443": "bad host or port",
        "[8.8.8.8]:443": "bad IPv6 address",
        "[2606::1]:91337": "bad host or port",
        "[2606::1]:-12": "bad host or port",
        "[2606::1]:https": "bad host or port",
        "[2606::1]:0443": "bad host or port",
        "[2606::1": "bad host or port",
        "2606::1]:443": "bad host or port",
        "[2606::1::2]:443": "bad IPv6 address",
        "[]:443": "bad IPv6 address",
        "[v1.2]:443": "bad IPv6 address",
        "[2606::1:]:443": "bad IPv6 address",
        "[:2606::1]:443": "bad IPv6 address",
        "[2606:::1]:443": "bad IPv6 address",
        "[2606::12345]:443": "bad IPv6 address",
        "[1:2:3:4:5:6:7]:443": "bad IPv6 address",
        "[1:2:3:4:5:6:7::8]:443": "bad IPv6 address",
        "[1:2:3:4:5:6:7:8:9]:443": "bad IPv6 address",
        "[::1.2.3.4:5]:443": "bad IPv6 address",
        "[::1.2.3]:443": "bad IPv6 address",
        "[::01.2.3.4]:443": "bad IPv6 address",
        "[1.2.3.4]:443": "bad IPv6 address",
        "[1:2:3:4:5:6:7:1.2.3.4]:443": "bad IPv6 address",
        "public.test:0": "bad host or port",
        "public.test:65536": "bad host or port",
        "public.test:+443": "bad host or port",
        "public.test:443:443": "bad host or port",
        "public.test:443/": "bad host or port",
        "public.test:443#x": "bad host or port",
        "public.test/x:443": "bad character in the host",
        "http://public.test:443": "bad host or port",
        "me@public.test:443": "user information is not taken",
        "8.8.8.8@public.test:443": "user information is not taken",
        "public.test\\@10.0.0.1:443": "user information is not taken",
        "public..test:443": "bad host",
        ".public.test:443": "bad host",
        "public.test..:443": "bad host",
        ".:443": "bad host",
        "1.2.3.4.5:443": "bad host",
        "256.1.1.1:443": "bad host",
        "0x100000000:443": "bad host",
        "08.1.1.1:443": "bad host",
        "a.0x1:443": "bad host",
        "xn--a:443": "bad host",
        "%ff.test:443": "bad host",
        "\xff.test:443": "bad host",
        "a%00b.test:443": "bad host",
        "a%20b.test:443": "bad host",
        "a%2fb.test:443": "bad host",
        "a%40b.test:443": "bad host",
        "a*b.test:443": "bad character in the host",
        "a,b.test:443": "bad character in the host",
        "a%2ab.test:443": "bad host",
        f"{'a' * 64}.test:443": "bad host",
        f"{'a.' * 130}test:443": "bad host",
    }.items()
] + [
    refused(f"GET {uri!r}", f"GET {uri} HTTP/1.1\r\nHost: public.test\r\n\r\n", f"syntax: {what}")
    for uri, what in {
        "/": "no absolute http address",
        "*": "no absolute http address",
        "public.test": "no absolute http address",
        "//public.test/": "no absolute http address",
        "https://public.test/": "no absolute http address",
        "ftp://public.test/": "no absolute http address",
        "file:///etc/passwd": "no absolute http address",
        "http:/public.test/": "no absolute http address",
        "http:public.test": "no absolute http address",
        "http://public.test/#part": "no absolute http address",
        "http://public.test/\xe9": "no absolute http address",
        "http://": "bad host or port",
        "http:///": "bad host or port",
        "http://:80/": "bad host or port",
        "http://public.test:/": "bad host or port",
        "http://public.test:080/": "bad host or port",
        "http://public.test:99999/": "bad host or port",
        "http://public.test#x": "bad character in the host",
        "http://public.test\\.evil.test/": "bad character in the host",
        "http://public.test\\@10.0.0.1/": "user information is not taken",
        "http://10.0.0.1\\@public.test/": "user information is not taken",
        "http://me:secret@public.test/": "user information is not taken",
        "http://public.test%40evil.test/": "bad host",
        "http://@public.test/": "user information is not taken",
    }.items()
]

NETWORKS = {
    "ISOL8_ALLOW_NETS": "10.1.0.0/16, 127.0.0.0/8,::1/128,::ffff:0:0/96,64:ff9b::/96,64:ff9b:1::/48,2002::/16,"
    "2001::/32,::/96",
    "ISOL8_ALLOW_PORTS": "8000, 22",
}
ALLOWED_NETWORKS = [
    case
    for host, dial, kind in (
        ("10.1.2.3", "10.1.2.3", None),
        ("10.2.0.1", "", "private"),
        ("private.test", "10.1.2.3", None),
        ("127.1", "127.0.0.1", None),
        ("[::1]", "::1", None),
        ("[::ffff:10.1.0.1]", "10.1.0.1", None),
        ("mapped.test", PUBLIC, None),
        ("192.168.0.1", "", "private"),
        ("169.254.169.254", "", "metadata"),
        ("[64:ff9b::808:808]", "64:ff9b::808:808", None),
        ("[64:ff9b::a02:1]", "", "private"),
        ("[64:ff9b::a9fe:a9fe]", "", "metadata"),
        ("[64:ff9b:1::808:808]", "64:ff9b:1::808:808", None),
        ("[64:ff9b:1::a9fe:a9fe]", "", "metadata"),
        ("[2002:808:808::1]", "2002:808:808::1", None),
        ("[2002:c0a8:1::1]", "", "private"),
        ("[2001:0:1:2:3:4:f7f7:f7f7]", "2001:0:1:2:3:4:f7f7:f7f7", None),
        ("[2001:0:1:2:3:4:3f57:fffe]", "", "private"),
        ("[::192.168.0.1]", "", "private"),
    )
    for case in both(host, dial=dial, kind=kind, settings=NETWORKS)
]
PORTS = [
    Case(
        name=f"{what} port {port}", request=request, status=status, rule=rule, dials=dials, settings=settings
    )
    for port, settings, refusal in (
        (22, {}, True),
        (25, {}, True),
        (8000, {}, True),
        (65535, {}, True),
        (80, {}, False),
        (443, {}, False),
        (8000, NETWORKS, False),
        (22, NETWORKS, False),
        (8001, NETWORKS, True),
    )
    for what, request, answer in (
        ("GET", get(f"public.test:{port}"), 201),
        ("CONNECT", connect(f"public.test:{port}"), 200),
    )
    for status, rule, dials in [
        (403, f"port: {port}", ()) if refusal else (answer, "whitelist: empty", ((PUBLIC, port),))
    ]
    for what in [f"{what}{' allowed' if settings else ''}"]
]

BLACKLIST = [r"^blocked\.test$", r"(^|\.)ads\.", "^10[.]", "Tracker"]
WHITELIST = [
    r"^([a-z0-9-]+\.)*public\.test$",
    r"^blocked\.test$",
    "^8[.]8[.]8[.]8$",
    "other",
    "^2606:",
    r"^XN--",
]
LISTS = {"ISOL8_BLACKLIST": json.dumps(BLACKLIST), "ISOL8_WHITELIST": json.dumps(WHITELIST)}
STRICT = {
    "ISOL8_BLACKLIST": json.dumps([*BLACKLIST[:1], "Tracker"]),
    "ISOL8_WHITELIST": json.dumps(WHITELIST[:4]),
    "ISOL8_PROXY_STRICT": "1",
}
LISTED = [
    Case(
        name=f"{what} {host} {'strict' if settings is STRICT else 'listed'}",
        request=request,
        status=status if rule.startswith("whitelist: ") and dials else 403,
        rule=rule,
        dials=dials,
        settings=settings,
    )
    for settings, host, rule, dial in (
        (LISTS, "public.test", f"whitelist: {WHITELIST[0]}", PUBLIC),
        (LISTS, "PUBLIC.test.", f"whitelist: {WHITELIST[0]}", PUBLIC),
        (LISTS, "blocked.test", f"blacklist: {BLACKLIST[0]}", None),
        (LISTS, "BLOCKED.test", f"blacklist: {BLACKLIST[0]}", None),
        (LISTS, "blocked.test.", f"blacklist: {BLACKLIST[0]}", None),
        (LISTS, "bl%6fcked.test", f"blacklist: {BLACKLIST[0]}", None),
        (LISTS, "ads.public.test", f"blacklist: {BLACKLIST[1]}", None),
        (LISTS, "x.ads.public.test", f"blacklist: {BLACKLIST[1]}", None),
        (LISTS, "trackers.public.test", f"blacklist: {BLACKLIST[3]}", None),
        (LISTS, "0xa.1", f"blacklist: {BLACKLIST[2]}", None),
        (LISTS, "[::ffff:10.0.0.1]", f"blacklist: {BLACKLIST[2]}", None),
        (LISTS, "134744072", f"whitelist: {WHITELIST[2]}", "8.8.8.8"),
        (LISTS, "other.test", f"whitelist: {WHITELIST[3]}", PUBLIC),
        (LISTS, "[2606:2800:220:1:0:0:0:1]", f"whitelist: {WHITELIST[4]}", PUBLIC_6),
        (LISTS, "b\xc3\xbccher.test", f"whitelist: {WHITELIST[5]}", PUBLIC),
        (LISTS, "two.test", "whitelist: no match", None),
        (LISTS, "public.test.evil.test", "whitelist: no match", None),
        (LISTS, "8.8.4.4", "whitelist: no match", None),
        (STRICT, "public.test", f"whitelist: {WHITELIST[0]}", PUBLIC),
        (STRICT, "blocked.test", f"blacklist: {BLACKLIST[0]}", None),
        (STRICT, "other.test", "whitelist: no match", None),
        (STRICT, "[2606:2800:220:1::1]", "whitelist: no match", None),
    )
    for what, request, status, port in (
        ("GET", get(host), 201, 80),
        ("CONNECT", connect(f"{host}:443"), 200, 443),
    )
    for dials in [((dial, port),) if dial else ()]
]
CASES = [*ADDRESSES, *SPELLINGS, *NAMES, *MALFORMED, *ALLOWED_NETWORKS, *PORTS, *LISTED]


@pytest.fixture(scope="module")
def found(filters: Filters) -> Mapping[str, Outcome]:
    """Give what one runtime's filters make of all cases."""
    return outcomes(filters, CASES)


@pytest.mark.parametrize(
    "case", CASES, ids=lambda case: case.name.encode("ascii", "backslashreplace").decode()
)
def test_only_what_is_allowed_is_dialled(found: Mapping[str, Outcome], case: Case) -> None:
    """The client's status, the rule in the log and what the servers saw are those of the table."""
    check(case, found[case.name])
