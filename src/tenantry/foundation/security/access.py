"""Access tokens: JWTs (RFC 9068) signed with Ed25519, verified strictly, remembered until they expire.

Written on `cryptography` alone: a token has exactly one shape here, and the freedom of a JOSE library (other
algorithms, header members, spellings) is what forgeries live on.
"""

from __future__ import annotations

import secrets
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable

import msgspec

from tenantry.foundation.security.signing import ALGORITHM, SIGNATURE_BYTES, TYPE, SigningKey, VerifyingKey
from tenantry.foundation.security.tokens import BadToken, Reason, from_base64url, to_base64url

LIFE = 5 * 60
"""Seconds an access token lives at most; up to 5 % less, at random."""
LONGEST = 8 * 1024
"""Characters of an access token."""
MOST_LEEWAY = 30
"""Seconds by which the clock of the node that signed a token may run ahead."""
REMEMBERED = 10_000
"""Verified access tokens a process remembers."""
_SHORTENED_BY_AT_MOST = 0.05


class Claims(msgspec.Struct, frozen=True):
    """What an access token says; hints for the reader, the row decides. Times are Unix seconds."""

    iss: str
    aud: str
    sub: str
    sid: str
    exp: int
    iat: int
    nbf: int
    jti: str
    org: str | None
    role: str | None
    ver: int

    @classmethod
    def fresh(
        cls,
        *,
        issuer: str,
        audience: str,
        subject: str,
        session: str,
        version: int,
        now: float,
        org: str | None = None,
        role: str | None = None,
        life: int = LIFE,
    ) -> Claims:
        """The claims of a token that starts now; up to 5 % shorter than `life`, to spread out a fleet."""
        start = int(now)
        end = start + life - secrets.randbelow(int(life * _SHORTENED_BY_AT_MOST) + 1)
        jti = secrets.token_urlsafe(16)
        return cls(issuer, audience, subject, session, end, start, start, jti, org, role, version)


class _Header(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    alg: str
    typ: str
    kid: str


_encode = msgspec.json.Encoder().encode
_read_claims = msgspec.json.Decoder(Claims).decode
_read_header = msgspec.json.Decoder(_Header).decode


def issue(claims: Claims, key: SigningKey) -> str:
    """The signed token."""
    signed = f"{key.verifying.header}.{to_base64url(_encode(claims))}"
    return f"{signed}.{to_base64url(key.sign(signed.encode()))}"


class Verifier:
    """Tells genuine access tokens of this issuer and audience from all else.

    The leeway, in seconds, is for tokens of a node whose clock runs ahead; an expired one gets none.
    """

    def __init__(
        self,
        keys: Iterable[VerifyingKey],
        *,
        issuer: str,
        audience: str,
        clock: Callable[[], float] = time.time,
        leeway: int = MOST_LEEWAY,
        remembered: int = REMEMBERED,
    ) -> None:
        if not 0 <= leeway <= MOST_LEEWAY:
            raise ValueError(f"the leeway is 0 to {MOST_LEEWAY} seconds")
        self._issuer, self._audience, self._clock = issuer, audience, clock
        self._leeway, self._room = leeway, remembered
        self._genuine: OrderedDict[str, Claims] = OrderedDict()
        self.replace_keys(keys)

    def replace_keys(self, keys: Iterable[VerifyingKey]) -> None:
        """Trust these keys from now on and no others; every remembered token is forgotten."""
        self._by_header = {key.header: key for key in keys}
        self._kids = frozenset(key.kid for key in self._by_header.values())
        self._genuine.clear()

    def verify(self, text: str) -> Claims:
        """The claims of a genuine token that has not expired, else BadToken."""
        if len(text) > LONGEST:
            raise BadToken(Reason.TOO_LONG)
        claims = self._genuine.get(text)
        if claims is not None and claims.exp > self._clock():
            return claims
        if claims is not None:
            self._genuine.pop(text, None)
            raise BadToken(Reason.EXPIRED)
        return self._remember(text, self._examine(text))

    def _remember(self, text: str, claims: Claims) -> Claims:
        if len(self._genuine) >= self._room:
            self._genuine.popitem(last=False)
        self._genuine[text] = claims
        return claims

    def _examine(self, text: str) -> Claims:
        parts = text.split(".", 3)
        if len(parts) != 3 or not text.isascii():
            raise BadToken(Reason.MALFORMED)
        header, body, signature = parts
        key = self._key(header)
        raw = from_base64url(signature)
        if len(raw) != SIGNATURE_BYTES or not key.accepts(raw, f"{header}.{body}".encode()):
            raise BadToken(Reason.SIGNATURE)
        return self._accept(_claims(from_base64url(body)))

    def _key(self, header: str) -> VerifyingKey:
        # Not parsed: it is, byte for byte, what one of our keys writes. So the algorithm comes from the key,
        # and jwk, jku, x5u, x5c, crit, b64 and zip have nobody to read them.
        key = self._by_header.get(header)
        if key is None:
            raise BadToken(self._fault(header))
        return key

    def _fault(self, header: str) -> Reason:
        """Why a header is refused: a key not known here (yet) is told from a forgery."""
        try:
            parsed = _read_header(from_base64url(header))
        except (msgspec.DecodeError, UnicodeDecodeError):
            return Reason.HEADER
        ours = (parsed.alg, parsed.typ) == (ALGORITHM, TYPE) and parsed.kid not in self._kids
        return Reason.UNKNOWN_KEY if ours else Reason.HEADER

    def _accept(self, claims: Claims) -> Claims:
        now = self._clock()
        if claims.iss != self._issuer:
            raise BadToken(Reason.ISSUER)
        if claims.aud != self._audience:
            raise BadToken(Reason.AUDIENCE)
        if max(claims.iat, claims.nbf) > now + self._leeway:
            raise BadToken(Reason.NOT_YET)
        if claims.exp <= now:
            raise BadToken(Reason.EXPIRED)
        return claims


def _claims(raw: bytes) -> Claims:
    try:
        return _read_claims(raw)
    except (msgspec.DecodeError, UnicodeDecodeError):
        # `from None`: the decoder's message would carry parts of the token into a log.
        raise BadToken(Reason.CLAIMS) from None
