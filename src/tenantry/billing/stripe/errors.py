"""How asking Stripe can fail: four ways, each of which means something else to whoever asked."""

from __future__ import annotations


class StripeFailed(Exception):
    """Stripe did not do what it was asked for; what is said here holds nothing of what was sent."""


class Declined(StripeFailed):
    """A card was declined; `message` is Stripe's, for whoever pays."""

    def __init__(self, code: str, message: str) -> None:
        self.code = code
        self.message = message
        super().__init__(f"declined: {code}")


class Refused(StripeFailed):
    """Stripe understood and said no, and will again: what was asked for is wrong, or its time is over."""

    def __init__(self, code: str, param: str | None = None, status: int = 400) -> None:
        self.code = code
        self.param = param
        self.status = status
        super().__init__(f"refused: {code}" + (f" ({param})" if param else ""))

    @property
    def missing(self) -> bool:
        """Whether the thing itself, and not something that was said of it, is not there."""
        return self.status == 404


class Unreachable(StripeFailed):
    """No answer, or that Stripe is busy or broken: nobody knows what was done, and asking again will tell."""


class Misconfigured(StripeFailed):
    """Our key is wrong or may not do this, or billing is off: nothing helps but another setting."""
