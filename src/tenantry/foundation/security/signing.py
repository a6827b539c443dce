"""The Ed25519 keys that sign access tokens, and their public halves that others may verify with."""

from __future__ import annotations

import hashlib
from typing import NoReturn

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from tenantry.foundation.security.tokens import to_base64url

ALGORITHM = "EdDSA"
TYPE = "at+jwt"
SIGNATURE_BYTES = 64


class VerifyingKey:
    """The public half: what the JWKS shows, and all a retiring key still needs."""

    __slots__ = ("_public", "header", "kid", "raw")

    def __init__(self, raw: bytes) -> None:
        self._public = Ed25519PublicKey.from_public_bytes(raw)
        self.raw = raw
        self.kid = _thumbprint(raw)
        self.header = _header(self.kid)

    def accepts(self, signature: bytes, message: bytes) -> bool:
        """Whether the private half signed this message."""
        try:
            self._public.verify(signature, message)
        except InvalidSignature:
            return False
        return True

    def jwk_public(self) -> dict[str, str]:
        """Its entry in the JWKS; public members only."""
        x = to_base64url(self.raw)
        return {"kty": "OKP", "crv": "Ed25519", "x": x, "kid": self.kid, "alg": ALGORITHM, "use": "sig"}


class SigningKey:
    """A key pair; its id is the RFC 7638 thumbprint, so that two nodes never disagree about it."""

    __slots__ = ("_private", "verifying")

    def __init__(self, private: Ed25519PrivateKey) -> None:
        self._private = private
        self.verifying = VerifyingKey(private.public_key().public_bytes_raw())

    @classmethod
    def generate(cls) -> SigningKey:
        """A fresh random key pair."""
        return cls(Ed25519PrivateKey.generate())

    @classmethod
    def from_bytes(cls, raw: bytes) -> SigningKey:
        """The key pair whose 32 private bytes were sealed."""
        return cls(Ed25519PrivateKey.from_private_bytes(raw))

    def private_bytes(self) -> bytes:
        """The 32 bytes to seal at rest."""
        return self._private.private_bytes_raw()

    @property
    def kid(self) -> str:
        """The id that the header of every token signed with it carries."""
        return self.verifying.kid

    def jwk_public(self) -> dict[str, str]:
        """Its entry in the JWKS; public members only."""
        return self.verifying.jwk_public()

    def sign(self, message: bytes) -> bytes:
        """The 64-byte signature."""
        return self._private.sign(message)

    def __repr__(self) -> str:
        return f"SigningKey({self.kid})"

    def __reduce_ex__(self, _: object) -> NoReturn:
        raise TypeError("a signing key is not serialized; seal its private bytes")


def _thumbprint(raw: bytes) -> str:
    members = f'{{"crv":"Ed25519","kty":"OKP","x":"{to_base64url(raw)}"}}'
    return to_base64url(hashlib.sha256(members.encode()).digest())


def _header(kid: str) -> str:
    return to_base64url(f'{{"alg":"{ALGORITHM}","typ":"{TYPE}","kid":"{kid}"}}'.encode())
