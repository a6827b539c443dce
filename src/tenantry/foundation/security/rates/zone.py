"""Zones: those whom one policy counts in a process, in a memory that no flood of them makes larger."""

from __future__ import annotations

MOST_SUBJECTS = 100_000
"""Sources, persons, API keys or organizations that a process keeps count of, of each sort; more share one count."""
CROWD = "\0"
"""Whom newcomers are counted as together while there is no room for them."""
_PATIENCE = 1.0


class Zone:
    """Everybody whom one policy counts: when their turns are back, and what of it the other processes do not know."""

    __slots__ = ("_crowded_until", "due", "moments", "most", "span", "untold")

    def __init__(self, span: float, most: int | None = None) -> None:
        self.span = span
        self.most = MOST_SUBJECTS if most is None else most
        self.moments: dict[str, float] = {}
        self.untold: dict[str, float] = {}
        self.due: set[str] = set()
        self._crowded_until = float("-inf")

    def housed(self, subject: str, now: float) -> str:
        """As whom somebody is counted: as themselves, if there is or can be made room, else as one of the crowd."""
        if subject in self.moments or self._make_room(now):
            return subject
        self.moments.setdefault(CROWD, now)
        return CROWD

    def forget(self, now: float) -> None:
        """Let go of whoever has all turns, and of what was spent in amounts too small to be told."""
        gone = [subject for subject, at in self.moments.items() if at <= now and subject not in self.due]
        self._let_go(gone)
        self.untold = {subject: spent for subject, spent in self.untold.items() if subject in self.due}

    def _make_room(self, now: float) -> bool:
        """Let go of who has all turns, then of who has most; of nobody who has spent half of them."""
        if len(self.moments) < self.most:
            return True
        if now < self._crowded_until:
            return False
        self._let_go([subject for subject, at in self.moments.items() if at <= now])
        if len(self.moments) >= self.most:
            light = sorted((at, subject) for subject, at in self.moments.items() if at - now < self.span / 2)
            self._let_go([subject for _, subject in light[: self.most // 8 + 1] if subject != CROWD])
        if len(self.moments) < self.most:
            return True
        # looking through all of them once more would find the same
        self._crowded_until = now + min(_PATIENCE, self.span)
        return False

    def _let_go(self, subjects: list[str]) -> None:
        for subject in subjects:
            del self.moments[subject]
            self.untold.pop(subject, None)
            self.due.discard(subject)
