"""Details: what is personal about an event or an audit row, kept beside it so that it can be erased and it cannot.

The history keeps a salted hash of them: whoever has the details can prove that they are those of that moment, and once
they are erased nothing can be found out from the hash.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Mapping
from uuid import UUID

import msgspec

from tenantry.foundation.data.sql import run

SALT_BYTES = 16
_text = msgspec.json.Encoder(order="sorted").encode


class Details(msgspec.Struct, frozen=True):
    """Personal values by name, and whom they are about: an account, or an address that may have none."""

    values: Mapping[str, str | None]
    person: UUID | None = None
    email_key: str | None = None

    def sealed(self) -> SealedDetails:
        """The values as text, bound to what stays in the history."""
        salt, values = secrets.token_bytes(SALT_BYTES), _text(self.values).decode()
        return SealedDetails(salt, values, digest_of(salt, values))


class SealedDetails(msgspec.Struct, frozen=True):
    """Details on their way into the database: the salt, the values as JSON, and the hash that the history keeps."""

    salt: bytes
    values: str
    digest: bytes


def digest_of(salt: bytes, values: str) -> bytes:
    """The hash of details, from their values as they are written."""
    return hashlib.sha256(salt + values.encode()).digest()


# Beside an account's own rows stand the addresses that were its own: what was said about one of these before it was
# given up was said about this person, or about somebody before them.
forget_details = run("""
    delete from tenantry.details
     where (row_id, about) in (select row_id, about from tenantry.details where person_id = :user_id
                                union
                               select row_id, about from tenantry.details where email_key = :email_key
                                union
                               select said.row_id, said.about
                                 from tenantry.details as own
                                 join tenantry.details as said
                                   on said.email_key = own.email_key and said.person_id is null and said.at <= own.at
                                where own.person_id = :user_id)
""")
