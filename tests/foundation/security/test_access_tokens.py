"""An access token has one shape, one algorithm and one key; all else that looks like one is refused."""

from __future__ import annotations

import base64
import hmac
import json
import random
import tracemalloc
import warnings
from typing import Any
from uuid import uuid4

import msgspec
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_der_public_key
from joserfc import jwt
from joserfc.jwk import OKPKey

from tenantry.foundation.security.access import LONGEST, Claims, Verifier, issue
from tenantry.foundation.security.keys import MasterKeys, new_master_key
from tenantry.foundation.security.onetime import OneTime
from tenantry.foundation.security.refresh import Refresh
from tenantry.foundation.security.signing import SigningKey, VerifyingKey
from tenantry.foundation.security.tokens import BadToken, Reason, from_base64url, to_base64url

NOW = 1_795_000_000
ISSUER, AUDIENCE = "https://app.example", "tenantry"
KEY = SigningKey.generate()
HEADER = {"alg": "EdDSA", "typ": "at+jwt", "kid": KEY.kid}
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


class Clock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.now: float = NOW

    def __call__(self) -> float:
        return self.now


def fresh(**changes: Any) -> Claims:
    person = {"subject": "usr_1", "session": "ses_1", "org": "org_1", "role": "admin"}
    claims = Claims.fresh(issuer=ISSUER, audience=AUDIENCE, version=1, now=NOW, **person)
    return msgspec.structs.replace(claims, **changes)


def verifier(*keys: SigningKey, clock: Clock | None = None, **rest: Any) -> Verifier:
    trusted = [key.verifying for key in keys or (KEY,)]
    return Verifier(trusted, issuer=ISSUER, audience=AUDIENCE, clock=clock or Clock(), **rest)


def forge(header: Any, payload: Any = None, *, sign: Any = KEY.sign) -> str:
    body = payload if isinstance(payload, bytes) else json.dumps(payload or msgspec.to_builtins(fresh())).encode()
    head = header if isinstance(header, bytes) else json.dumps(header, separators=(",", ":")).encode()
    signed = f"{to_base64url(head)}.{to_base64url(body)}"
    return f"{signed}.{to_base64url(sign(signed.encode()))}"


def refusal(text: str, by: Verifier | None = None) -> Reason:
    with pytest.raises(BadToken) as refused:
        (by or verifier()).verify(text)
    assert len(str(refused.value)) < 20, "the refusal carries the token"
    return refused.value.reason


def test_an_issued_token_is_genuine_and_says_what_was_put_in() -> None:
    claims = fresh()
    assert verifier().verify(issue(claims, KEY)) == claims
    assert verifier().verify(issue(fresh(org=None, role=None), KEY)).org is None


def test_the_header_holds_exactly_three_members() -> None:
    header, body, _ = issue(fresh(), KEY).split(".")
    assert json.loads(from_base64url(header)) == HEADER
    members = {"iss", "aud", "sub", "sid", "exp", "iat", "nbf", "jti", "org", "role", "ver"}
    assert set(json.loads(from_base64url(body))) == members


def test_another_implementation_verifies_our_tokens_with_the_published_key() -> None:
    key = OKPKey.import_key(KEY.jwk_public())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # RFC 9864 renames EdDSA; few verifiers know the new name
        token = jwt.decode(issue(fresh(), KEY), key, algorithms=["EdDSA"])
    assert token.header == HEADER
    assert token.claims["sub"] == "usr_1"
    assert key.thumbprint() == KEY.kid


def test_the_published_key_has_public_members_only() -> None:
    assert set(KEY.jwk_public()) == {"kty", "crv", "x", "kid", "alg", "use"}
    assert to_base64url(KEY.private_bytes()) not in json.dumps(KEY.jwk_public())
    assert repr(KEY) == f"SigningKey({KEY.kid})"


def test_a_key_that_was_sealed_and_opened_is_the_same_key() -> None:
    again = SigningKey.from_bytes(KEY.private_bytes())
    assert again.kid == KEY.kid == VerifyingKey(KEY.verifying.raw).kid
    assert verifier().verify(issue(fresh(), again)).sub == "usr_1"


def test_lives_are_shortened_a_little_so_that_a_fleet_does_not_refresh_at_once() -> None:
    lives = {claims.exp - claims.iat for claims in (fresh() for _ in range(500))}
    assert 285 <= min(lives) < max(lives) <= 300
    assert len(lives) > 8
    assert len({fresh().jti for _ in range(100)}) == 100


@pytest.mark.parametrize("alg", ["none", "None", "NONE", "nOnE", "", "HS256", "RS256", "ES256", "Ed25519", None, 1])
def test_the_algorithm_is_never_the_headers_choice(alg: Any) -> None:
    header = HEADER | {"alg": alg}
    assert refusal(forge(header)) is Reason.HEADER
    assert refusal(forge(header, sign=lambda _: b"")) is Reason.HEADER


def public_forms() -> dict[str, bytes]:
    der = b"\x30\x2a\x30\x05\x06\x03\x2b\x65\x70\x03\x21\x00" + KEY.verifying.raw
    public = load_der_public_key(der)
    return {
        "raw": KEY.verifying.raw,
        "der": der,
        "pem": public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
        "ssh": public.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH),
        "jwk": json.dumps(KEY.jwk_public()).encode(),
        "x": KEY.jwk_public()["x"].encode(),
    }


@pytest.mark.parametrize("form", ["raw", "der", "pem", "ssh", "jwk", "x"])
@pytest.mark.parametrize("alg", ["HS256", "EdDSA"])
def test_the_public_key_is_no_shared_secret(form: str, alg: str) -> None:
    secret = public_forms()[form]

    def sign(message: bytes) -> bytes:
        return hmac.digest(secret, message, "sha256")

    wanted = Reason.HEADER if alg == "HS256" else Reason.SIGNATURE
    assert refusal(forge(HEADER | {"alg": alg}, sign=sign)) is wanted
    assert refusal(forge(HEADER | {"alg": alg}, sign=lambda text: sign(text) * 2)) is wanted


OTHER = SigningKey.generate()


@pytest.mark.parametrize(
    "more",
    [
        {"jwk": OTHER.jwk_public()},
        {"jku": "http://127.0.0.1:9/"},
        {"x5u": "http://127.0.0.1:9/"},
        {"x5c": ["AA"]},
        {"crit": ["exp"]},
        {"crit": []},
        {"b64": False},
        {"zip": "DEF"},
        {"enc": "A256GCM"},
        {"cty": "JWT"},
        {"x": None},
        {"typ": "JWT"},
        {"typ": "at+JWT"},
        {"typ": "application/at+jwt"},
        {"typ": None},
        {"typ": "refresh"},
        {"kid": None},
        {"kid": 1},
        {"kid": [KEY.kid]},
    ],
)
@pytest.mark.parametrize("key", [KEY, OTHER])
def test_a_header_with_anything_else_in_it_is_refused(more: dict[str, Any], key: SigningKey) -> None:
    assert refusal(forge(HEADER | more, sign=key.sign)) is Reason.HEADER


@pytest.mark.parametrize("missing", ["alg", "typ", "kid"])
def test_a_header_with_less_in_it_is_refused(missing: str) -> None:
    header = {name: value for name, value in HEADER.items() if name != missing}
    assert refusal(forge(header)) is Reason.HEADER


@pytest.mark.parametrize("kid", ["", "../../dev/null", "' or 1=1 --", "http://127.0.0.1:9/", "\0", OTHER.kid, "é"])
def test_an_unknown_key_is_refused_whatever_it_is_called(kid: str) -> None:
    assert refusal(forge(HEADER | {"kid": kid}, sign=OTHER.sign)) is Reason.UNKNOWN_KEY
    assert refusal(forge(HEADER | {"kid": kid})) is Reason.UNKNOWN_KEY


def test_a_known_keys_name_over_another_keys_signature_is_refused() -> None:
    assert refusal(forge(HEADER, sign=OTHER.sign)) is Reason.SIGNATURE
    assert refusal(issue(fresh(), OTHER), verifier(KEY)) is Reason.UNKNOWN_KEY


def test_the_same_header_spelled_otherwise_is_refused() -> None:
    spaced = json.dumps(HEADER).encode()
    swapped = json.dumps(dict(reversed(HEADER.items())), separators=(",", ":")).encode()
    twice = spaced.replace(b"{", b'{"alg":"none",', 1)
    for header in (spaced, swapped, twice, b"\xef\xbb\xbf" + spaced, spaced + b" "):
        assert refusal(forge(header)) is Reason.HEADER


@pytest.mark.parametrize(
    "header",
    [
        b"",
        b"[]",
        b"null",
        b"{",
        b"{}",
        b"\xff\xfe",
        b'{"alg":' + b"[" * 3000,
        b"[" * 6000,
        b'{"a":' * 1200,
        b'"\\ud800"',
    ],
)
def test_a_header_that_is_no_header_is_refused(header: bytes) -> None:
    refusal(forge(header))


@pytest.mark.parametrize("name", ["iss", "aud", "sub", "sid", "exp", "iat", "nbf", "jti", "org", "role", "ver"])
def test_no_claim_may_be_missing(name: str) -> None:
    claims = msgspec.to_builtins(fresh())
    del claims[name]
    assert refusal(forge(HEADER, claims)) is Reason.CLAIMS


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *[
            (name, value)
            for name in ("exp", "iat", "nbf", "ver")
            for value in (str(NOW), NOW + 0.5, True, None, [NOW], 1e3)
        ],
        *[(name, value) for name in ("iss", "aud", "sub", "sid", "jti") for value in (1, None, True, ["a"], {})],
        *[(name, value) for name in ("org", "role") for value in (1, False, ["a"], {})],
        ("aud", [AUDIENCE]),
        ("iss", [ISSUER]),
    ],
)
def test_every_claim_has_its_exact_type(name: str, value: Any) -> None:
    assert refusal(forge(HEADER, msgspec.to_builtins(fresh()) | {name: value})) is Reason.CLAIMS


@pytest.mark.parametrize("payload", [b"[]", b"null", b"{", b"\xff", b"[" * 4000, b'{"iss":' * 600, b'{"exp":1e999}'])
def test_a_signed_body_that_is_no_claims_is_refused(payload: bytes) -> None:
    assert refusal(forge(HEADER, payload)) is Reason.CLAIMS


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"iss": "https://evil.example"}, Reason.ISSUER),
        ({"iss": ISSUER + "/"}, Reason.ISSUER),
        ({"aud": "other"}, Reason.AUDIENCE),
        ({"aud": ""}, Reason.AUDIENCE),
        ({"exp": NOW}, Reason.EXPIRED),
        ({"exp": NOW - 1}, Reason.EXPIRED),
        ({"exp": -1}, Reason.EXPIRED),
        ({"iat": NOW + 31}, Reason.NOT_YET),
        ({"nbf": NOW + 31}, Reason.NOT_YET),
        ({"nbf": 2**70}, Reason.NOT_YET),
    ],
)
def test_a_token_for_elsewhere_or_another_time_is_refused(changes: dict[str, Any], reason: Reason) -> None:
    assert refusal(issue(fresh(**changes), KEY)) is reason


def test_a_clock_that_runs_half_a_minute_ahead_is_forgiven_and_never_more() -> None:
    ahead = fresh(iat=NOW + 30, nbf=NOW + 30, exp=NOW + 330)
    assert verifier().verify(issue(ahead, KEY)) == ahead
    assert refusal(issue(ahead, KEY), verifier(leeway=29)) is Reason.NOT_YET
    with pytest.raises(ValueError, match="leeway"):
        verifier(leeway=31)


def test_a_truncated_or_lengthened_token_is_refused() -> None:
    token = issue(fresh(), KEY)
    for end in range(len(token)):
        refusal(token[:end])
    header, body, signature = token.split(".")
    others = [
        token + "A",
        token + ".",
        token + ".A",
        "." + token,
        token + "=",
        token + "\n",
        " " + token,
        token + "\0",
    ]
    others += [
        f"{header}.{body}=.{signature}",
        f"{header}=.{body}.{signature}",
        f"{header}..{signature}",
        "..",
        "",
        ".",
    ]
    others += [
        f"{body}.{header}.{signature}",
        f"{header}.{body}.{signature * 2}",
        token.replace("-", "+", 1) + "é",
    ]
    for text in others:
        refusal(text)


def test_every_changed_bit_of_a_token_is_noticed() -> None:
    token = issue(fresh(), KEY)
    trusting = verifier()
    trusting.verify(token)
    for at, letter in enumerate(token):
        if letter != ".":
            other = LETTERS[LETTERS.index(letter) ^ 1]
            refusal(token[:at] + other + token[at + 1 :], trusting)


def test_loose_bits_at_the_end_of_each_part_are_refused() -> None:
    token = issue(fresh(), KEY)
    last = LETTERS.index(token[-1])
    for loose in range(1, 16):
        assert refusal(token[:-1] + LETTERS[last & 0b110000 | loose]) is Reason.MALFORMED


def test_other_kinds_of_token_are_no_access_tokens() -> None:
    master = MasterKeys.parse(new_master_key("a"))
    refresh, link = Refresh(master).issue(uuid4(), 0), OneTime(master).issue("verify", uuid4(), 0)
    for text in (refresh, link, f"{refresh}.{refresh}.{refresh}", f"{link}.{link.split('.')[0]}", "tnt_abc"):
        refusal(text)


def test_an_oversized_token_is_refused_without_being_read() -> None:
    huge = forge(HEADER, msgspec.to_builtins(fresh()) | {"sub": "x" * 2**20})
    by = verifier()
    tracemalloc.start()
    for text in (huge, "x" * 2**20, "." * 2**20, "é" * 2**20):
        tracemalloc.reset_peak()
        before = tracemalloc.get_traced_memory()[0]
        assert refusal(text, by) is Reason.TOO_LONG
        assert tracemalloc.get_traced_memory()[1] - before < 64 * 1024
    tracemalloc.stop()
    assert refusal("a" * (LONGEST + 1), by) is Reason.TOO_LONG
    assert refusal("a" * LONGEST, by) is Reason.MALFORMED


def test_garbage_is_only_ever_refused() -> None:
    source, by = random.Random(7), verifier()
    token = issue(fresh(), KEY)
    alphabet = LETTERS + ".=+/ \0é\ud800"
    for _ in range(5_000):
        letters = list(token)
        for _ in range(source.randint(1, 5)):
            letters[source.randrange(len(letters))] = source.choice(alphabet)
        if "".join(letters) != token:
            refusal("".join(letters), by)
        refusal("".join(source.choices(alphabet, k=source.randint(0, 120))), by)


def test_a_standard_base64_spelling_is_refused() -> None:
    raw = bytes([251, 255, 254])
    assert from_base64url(to_base64url(raw)) == raw
    for text in (
        base64.b64encode(raw).decode(),
        "-__",
        "-__-=",
        "-__\n-",
        "-",
        "ab==",
        "ab=",
        "QQ=",
        "QR",
        "-__é",
    ):
        with pytest.raises(BadToken):
            from_base64url(text)
