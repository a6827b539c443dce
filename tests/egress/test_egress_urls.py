"""One reader of URLs: what it takes is asked exactly so, and what others read differently it does not take."""

from __future__ import annotations

import pytest

from tenantry.foundation.net.egress import AddressRefused, faults_of
from tenantry.foundation.net.egress.allowed import Policy
from tenantry.foundation.net.egress.urls import Target, read_url

TAKEN = {
    "https://hooks.example.com": ("hooks.example.com", 443, "/"),
    "HTTPS://Hooks.Example.COM/Path": ("hooks.example.com", 443, "/Path"),
    "https://hooks.example.com:8443/a/../b?x=%2F&y[]=@": ("hooks.example.com", 8443, "/a/../b?x=%2F&y[]=@"),
    "https://hooks.example.com?x=1": ("hooks.example.com", 443, "/?x=1"),
    "https://hooks.example.com:443/": ("hooks.example.com", 443, "/"),
    "https://bücher.example.com/": ("xn--bcher-kva.example.com", 443, "/"),
    "https://xn--bcher-kva.example.com/": ("xn--bcher-kva.example.com", 443, "/"),
    "https://r3---sn-abc.example.com/": ("r3---sn-abc.example.com", 443, "/"),
    "https://8.8.8.8:1024/": ("8.8.8.8", 1024, "/"),
    "https://[2606:4700:0:0:0:0:0:1111]/": ("2606:4700::1111", 443, "/"),
}
ODD_FOURS = [
    "2130706433", "0177.0.0.1", "0x7f.1", "0x7f000001", "127.1", "127.0.1", "127.0.0.01", "127.0.0.0x1", "1.2.3.4.5",
    "256.1.1.1", "0", "0x", "017700000001", "00.0.0.0",
]  # fmt: skip
ODD_SIXES = [
    "[]",
    "[::1%25lo]",
    "[::1%lo]",
    "[1.2.3.4]",
    "[::1",
    "::1",
    "[::1]x",
    "[[::1]]",
    "[v1.a]",
    "[hooks.example.com]",
]
NO_HOSTS = [
    "127.0.0.1.", "localhost", "db", "localhost.", "hooks.example.com.", "hooks.example.com..", ".example.com",
    "hooks..example.com",
    "router.local", "metadata.google.internal", "app.localhost", "nas.home.arpa", "1.0.0.127.in-addr.arpa",
    "x.invalid", "x.onion", "git.corp", "git.lan", "-a.example.com", "a-.example.com", "a_b.example.com",
    "a,b.example.com", "a*.example.com", "a" * 64 + ".example.com", "a." * 126 + "com", "example.1", "example.0x1",
]  # fmt: skip
NO_NAMES = [
    # other digits and dots for an address, and for a private name
    "１２７.０.０.１", "127。0。0。1", "①②⑦.⓪.⓪.①", "ｌｏｃａｌｈｏｓｔ", "db．internal", "8。8。8。8",
    # what IDNA 2008 has no form for
    "a\u200db.example.com", "☃.example.com", "bu\u0308cher.example.com", "ex\u00adample.com", "xn--a.example.com",
    "xn--zzzzzz99.example.com", "exam\u2100ple.com", "hooks.example.com\uff0fx", "a\ufe52example.com",
]  # fmt: skip
REFUSED = {
    "must begin with https://": [
        "",
        "hooks.example.com",
        "ftp://hooks.example.com",
        "file:///etc/passwd",
        "https:/x.com",
        "https:hooks.example.com",
        "//hooks.example.com",
        "gopher://x.com",
        "javascript://x.com",
        "httpſ://x.com",
    ],
    "may not hold a user name": [
        "https://a@hooks.example.com",
        "https://a:b@hooks.example.com",
        "https://@hooks.example.com",
        "https://127.0.0.1:80@hooks.example.com",
        "https://hooks.example.com@127.0.0.1",
    ],
    "may not hold a fragment": [
        "https://hooks.example.com/#a",
        "https://hooks.example.com#@127.0.0.1",
        "https://hooks.example.com/?a#",
    ],
    "may not hold spaces": [
        "https://hooks.example.com/ a",
        " https://hooks.example.com",
        "https://hooks.example.com\r\nHost: x",
        "https://hooks.example.com/\t",
        "https://hooks.example.com\\@127.0.0.1/",
        "https://hooks.example.com/\x00",
        "https://hooks.example.com\n",
        "https://hooks.example.com/\x7f",
        "https:\\\\hooks.example.com",
    ],
    "may not hold an escape": [
        "https://%31%32%37.0.0.1/",
        "https://hooks%2eexample.com",
        "https://hooks.example.com%00/",
        "https://hooks.example.com%23/",
        "https://[fe80::1%25lo]/",
    ],
    "may have 2048": [
        "https://hooks.example.com/" + "a" * 2048,
    ],
    "must escape": [
        "https://hooks.example.com/größe",
        "https://hooks.example.com/%zz",
        "https://hooks.example.com/%",
        "https://hooks.example.com/<a>",
        'https://hooks.example.com/?a="',
        "https://hooks.example.com/?\u2028",
        "https://hooks.example.com/\ud800",
    ],
    "a port as a number": [
        "https://hooks.example.com:",
        "https://hooks.example.com:0443/",
        "https://hooks.example.com:4e2",
        "https://hooks.example.com:-1",
        "https://hooks.example.com:443:443",
        "https://hooks.example.com:+443",
        "https://hooks.example.com:４４３",
        "https:///x",
        "https://:443/",
        "https://hooks.example.com:0/",
        "https://hooks.example.com:100000/",
    ],
    "must name port": [
        "https://hooks.example.com:65536/",
        "https://hooks.example.com:99999/",
    ],
}
ASKED_FOR_MORE = {
    "must begin with https://": ["http://hooks.example.com/", "http://8.8.8.8/", "http://hooks.example.com:8080/"],
    "must name port": ["https://hooks.example.com:22/", "https://hooks.example.com:80/", "https://8.8.8.8:1023/"],
}


def _why(url: str) -> str:
    with pytest.raises(AddressRefused) as refused:
        read_url(url)
    return refused.value.why


@pytest.mark.parametrize("url", TAKEN)
def test_what_is_taken_is_asked_as_it_was_read(url: str) -> None:
    target = read_url(url)
    assert (target.host, target.port, target.asked) == TAKEN[url]
    assert target.only_allowed is None


@pytest.mark.parametrize(("why", "url"), [(why, url) for why, urls in REFUSED.items() for url in urls])
def test_what_parsers_read_differently_is_refused_with_its_reason(why: str, url: str) -> None:
    assert why in _why(url)


@pytest.mark.parametrize("host", [*ODD_FOURS, *ODD_SIXES, *NO_HOSTS, *NO_NAMES])
def test_a_host_has_one_spelling(host: str) -> None:
    assert _why(f"https://{host}/").startswith(("must ", "may "))
    assert _why(f"https://{host}:8443/").startswith(("must ", "may "))


@pytest.mark.parametrize("host", ODD_FOURS)
def test_an_odd_spelling_of_an_address_is_called_so(host: str) -> None:
    assert _why(f"https://{host}") == "must spell an IP address in its usual form"


@pytest.mark.parametrize(
    "url", ["https://127.0.0.1/", "https://[::1]/", "https://[::ffff:8.8.8.8]/", "https://10.1.2.3:8443/"]
)
def test_an_address_that_is_not_public_is_refused_before_anybody_is_asked(url: str) -> None:
    with pytest.raises(AddressRefused, match="public addresses only"):
        Policy(()).vet_target(read_url(url))


@pytest.mark.parametrize(("why", "url"), [(why, url) for why, urls in ASKED_FOR_MORE.items() for url in urls])
def test_what_goes_without_tls_or_to_a_known_port_needs_the_operators_word(why: str, url: str) -> None:
    with pytest.raises(AddressRefused, match=why):
        Policy(()).vet_target(read_url(url))


def _vets(policy: Policy, url: str) -> bool:
    try:
        target: Target = read_url(url)
        policy.vet_target(target)
    except AddressRefused:
        return False
    return True


def test_the_operator_allows_exact_pairs_of_address_and_port() -> None:
    policy = Policy(["127.0.0.1:8080", "[::1]:80", "8.8.8.8:80"])
    for url in (
        "http://127.0.0.1:8080/",
        "https://127.0.0.1:8080/",
        "http://[::1]/",
        "http://8.8.8.8/",
        "https://8.8.8.8/",
    ):
        assert _vets(policy, url), url
    for url in (
        "http://127.0.0.1:8081/", "http://127.0.0.2:8080/", "https://[::1]/", "http://8.8.8.8:8080/",
        "http://[::ffff:127.0.0.1]:8080/", "http://2130706433:8080/", "http://8.8.4.4/",
    ):  # fmt: skip
        assert not _vets(policy, url), url


@pytest.mark.parametrize("allow", ["127.0.0.1:8080", "[::1]:9000", "8.8.8.8:1"])
def test_a_pair_of_address_and_port_is_a_setting(allow: str) -> None:
    assert faults_of([allow], allow) == []


@pytest.mark.parametrize(
    "text",
    ["", "secret-host:80", "127.0.0.1", "127.0.0.1:", "127.0.0.1:0", "127.0.0.1:65536", "::1:80", "[::1%lo]:80",
     "127.1:80", "10.0.0.0/8:80", "*:80", "127.0.0.1:80 ", "[127.0.0.1]:80:80", "[::g]:80"],
)  # fmt: skip
def test_what_is_no_pair_is_named_by_its_setting_and_not_repeated(text: str) -> None:
    faults = faults_of(["127.0.0.1:80", text], None) + faults_of([], text)
    assert [fault.partition(" ")[0] for fault in faults] == ["TENANTRY_EGRESS_ALLOW", "TENANTRY_DNS_RESOLVER"]
    # an address that serves as the example tells nothing
    assert not [fault for fault in faults if text.strip(":") not in {"", "127.0.0.1"} and text in fault]
