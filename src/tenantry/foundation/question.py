"""Questions: what a domain asks before it acts, answered by higher domains that it does not know.

The answer is given in the asker's transaction. Nobody answering is the declared default.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from itertools import chain
from typing import Any, Generic, ParamSpec, TypeVar

from tenantry.foundation.work import Work

Asked = ParamSpec("Asked")
Answer = TypeVar("Answer")


def all_of(answers: Sequence[Sequence[Answer]]) -> Sequence[Answer]:
    """Settles on what everybody said, one after the other."""
    return tuple(chain.from_iterable(answers))


def nothing(answers: Sequence[None]) -> None:
    """Settles on nothing: whoever has something against it raises."""


class Question(Generic[Asked, Answer]):
    """A question by name; `settle` makes one answer of several, the default where there is none."""

    def __init__(self, name: str, sentence: str, *, settle: Callable[[Sequence[Answer]], Answer]) -> None:
        self.name = name
        self.sentence = sentence
        self._settle = settle
        self._answerers: tuple[Callable[..., Awaitable[Answer]], ...] = ()

    def answered_by(self, answerers: Sequence[Callable[..., Awaitable[Any]]]) -> None:
        """Who answers from now on; said once, by the registry."""
        self._answerers = tuple(answerers)

    async def ask(self, work: Work, *args: Asked.args, **kwargs: Asked.kwargs) -> Answer:
        """The settled answer of all who know something about it, in the order of the domains."""
        return self._settle([await answer(work, *args, **kwargs) for answer in self._answerers])
