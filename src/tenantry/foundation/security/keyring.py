"""The key ring: which keys sign and verify access tokens, read from the database, the private halves sealed there.

A key goes next -> active -> retiring -> retired. All but the retired verify; the active one signs; the JWKS shows what
verifies. How a key is moved along is in `succession`.
"""

from __future__ import annotations

import asyncio
import time
from typing import Any, Self

import msgspec
from asyncpg import Connection
from asyncpg.exceptions import PostgresError

from tenantry.foundation.data.database import Database, system_context
from tenantry.foundation.data.sql import many, run
from tenantry.foundation.logs import get_logger
from tenantry.foundation.problems import Unavailable
from tenantry.foundation.security.access import LIFE, Claims, Verifier, issue
from tenantry.foundation.security.sealed import SealedColumn, SealedValue
from tenantry.foundation.security.sealing import SealBroken, Sealer, place
from tenantry.foundation.security.signing import SigningKey, VerifyingKey
from tenantry.foundation.security.tokens import BadToken, Reason

AUDIENCE = "tenantry"
OPERATORS = "tenantry-operators"
"""The audiences: whom an access token is for, people or operators; one of the other is none."""
FRESH_FOR = 60.0
"""Seconds until a process reads the signing keys again."""
STALE_AFTER = 3 * FRESH_FOR
"""Seconds after which a process that could not read the signing keys again signs nothing more."""
PATIENCE = 1.0
"""Seconds between two looks for signing keys that are not known here, however many tokens name such keys."""
SOON = 1.0
"""Seconds until a process that could not read the signing keys tries again."""
log = get_logger("tenantry.keys")


class StoredKey(msgspec.Struct, frozen=True):
    """A row of the signing keys."""

    kid: str
    state: str
    public_key: bytes
    sealed_private: bytes


keys_in_use = many(
    StoredKey,
    """
    select kid, state, public_key, sealed_private
      from tenantry.signing_keys
     where state <> 'retired'
     order by created_at
    """,
)

keep_first_key = run("""
    insert into tenantry.signing_keys (kid, state, public_key, sealed_private)
    values (:kid, 'active', :public_key, :sealed_private)
        on conflict do nothing
""")


sealed_private = SealedColumn(
    table="signing_keys",
    column="sealed_private",
    batch=many(
        SealedValue,
        """
        select kid as row, null::text as org, sealed_private as blob
          from tenantry.signing_keys
         where state <> 'retired'
           and kid > :after
         order by kid
         limit :most
        """,
    ),
    replace=run("""
        update tenantry.signing_keys
           set sealed_private = :fresh
         where kid = :row
           and sealed_private = :old
    """),
)


class NewKey(msgspec.Struct, frozen=True):
    """A key pair just made, as it is stored."""

    kid: str
    public_key: bytes
    sealed_private: bytes

    @classmethod
    def sealed_by(cls, sealer: Sealer) -> Self:
        """A fresh one."""
        key = SigningKey.generate()
        return cls(key.kid, key.verifying.raw, sealer.seal(key.private_bytes(), aad=place_of(key.kid)))


class _Opened(msgspec.Struct):
    connection: Connection[Any]


class KeyRing:
    """Issues and verifies access tokens with the keys the database holds."""

    def __init__(self, database: Database, sealer: Sealer, *, issuer: str) -> None:
        self._database = database
        self._sealer = sealer
        self._issuer = issuer
        clock = database.clock.seconds
        self._verifiers = {one: Verifier((), issuer=issuer, audience=one, clock=clock) for one in (AUDIENCE, OPERATORS)}
        self._verifying: list[VerifyingKey] = []
        self._signing: SigningKey | None = None
        self._loaded_at = float("-inf")
        self._loaded_last = False
        self._loading = asyncio.Lock()
        self._keeper: asyncio.Task[None] | None = None

    @property
    def jwks(self) -> list[dict[str, str]]:
        """The public keys, as the JWKS shows them."""
        return [key.jwk_public() for key in self._verifying]

    @property
    def ready(self) -> bool:
        """Whether there is a key to sign with."""
        return self._signing is not None

    async def load(self) -> None:
        """Read the keys; in an empty database, make the first one (of several nodes, one succeeds)."""
        # one at a time: what was read first must not be adopted last
        async with self._loading:
            await self._load()

    async def keep_fresh(self) -> None:
        """Read the keys now and once a minute from here on; a database that is away is asked again soon."""
        await self._try_to_load()
        self._keeper = asyncio.create_task(self._keep())

    async def stop(self) -> None:
        """Stop reading the keys again."""
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.gather(self._keeper, return_exceptions=True)

    async def refresh(self, *, urgent: bool = False) -> None:
        """Read the keys again when they are a minute old; urgently, when a token names one that is not here yet."""
        asked_at = time.monotonic()
        async with self._loading:
            # whoever waited here for another's look has seen what that one saw
            age = asked_at - self._loaded_at
            if age > (PATIENCE if urgent else FRESH_FOR):
                await self._load()

    def issue(self, claims_of: dict[str, Any], *, audience: str = AUDIENCE, life: int = LIFE) -> tuple[str, int]:
        """A signed access token and its life in seconds."""
        # a key that was retired unseen must not sign: the others would refuse what it signs
        if self._signing is None or time.monotonic() - self._loaded_at > STALE_AFTER:
            raise Unavailable
        now = self._database.clock.seconds()
        claims = Claims.fresh(issuer=self._issuer, audience=audience, version=1, now=now, life=life, **claims_of)
        return issue(claims, self._signing), claims.exp - claims.iat

    async def verify(self, text: str, *, audience: str = AUDIENCE) -> Claims:
        """The claims of a genuine token, else BadToken; an unknown key is looked for once in the database."""
        verifier = self._verifiers[audience]
        try:
            return verifier.verify(text)
        except BadToken as refused:
            if refused.reason is not Reason.UNKNOWN_KEY:
                raise
        await self.refresh(urgent=True)
        return verifier.verify(text)

    async def _keep(self) -> None:
        while True:
            await asyncio.sleep(FRESH_FOR if self.ready and self._loaded_last else SOON)
            await self._try_to_load()

    async def _try_to_load(self) -> None:
        self._loaded_last = False
        try:
            await self.load()
        except (Unavailable, PostgresError) as error:
            log.warning("signing keys not read", reason=type(error).__name__)
        else:
            self._loaded_last = True

    async def _load(self) -> None:
        asked_at = time.monotonic()
        async with self._database.transaction(system_context()) as connection:
            opened = _Opened(connection)
            stored = await keys_in_use(opened)
            if not any(key.state == "active" for key in stored):
                await self._make_first(opened)
                stored = await keys_in_use(opened)
        self._adopt(stored)
        self._loaded_at = asked_at

    async def _make_first(self, opened: _Opened) -> None:
        key = NewKey.sealed_by(self._sealer)
        await keep_first_key(opened, kid=key.kid, public_key=key.public_key, sealed_private=key.sealed_private)

    def _adopt(self, stored: list[StoredKey]) -> None:
        verifying = [VerifyingKey(key.public_key) for key in stored]
        if [key.raw for key in verifying] != [key.raw for key in self._verifying]:
            for verifier in self._verifiers.values():
                verifier.replace_keys(verifying)
        self._verifying = verifying
        active = next((key for key in stored if key.state == "active"), None)
        if active is None:
            self._signing = None
        elif self._signing is None or self._signing.kid != active.kid:
            # not the one before in its place: it signs until it is seen that it shall not, and no longer
            self._signing = self._open(active)

    def _open(self, key: StoredKey) -> SigningKey | None:
        try:
            return SigningKey.from_bytes(self._sealer.open(key.sealed_private, aad=place_of(key.kid)))
        except SealBroken as error:
            log.error("the signing key does not open", kid=key.kid, reason=error.fault.value)
            return None


def place_of(kid: str) -> str:
    """Where the private half of a key is sealed."""
    return place(sealed_private.table, sealed_private.column, org=None, row=kid)
