"""Mail addresses: as a person typed one, and as it is compared."""

from __future__ import annotations

import unicodedata

import msgspec
from email_validator import EmailNotValidError, validate_email

from tenantry.foundation.problems import FieldError, Invalid


class MailAddress(msgspec.Struct, frozen=True):
    """An address twice: `typed`, which mail is sent to, and `key`, which decides whether two are the same."""

    typed: str
    key: str


def read_address(text: str, *, at: str = "body.email") -> MailAddress:
    """The address a text holds; the key is NFKC, IDNA and casefolded, dots and plus signs stay."""
    try:
        checked = validate_email(text, check_deliverability=False, globally_deliverable=False)
    except EmailNotValidError as error:
        raise Invalid(errors=(FieldError(at, "is not an e-mail address"),)) from error
    local = unicodedata.normalize("NFKC", checked.local_part).casefold()
    return MailAddress(checked.normalized, f"{local}@{checked.ascii_domain.casefold()}")
