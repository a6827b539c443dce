"""The mailer: a letter in, a mail out, by the one way this process has."""

from __future__ import annotations

from email.headerregistry import Address

from tenantry.foundation.data.clock import Clock
from tenantry.foundation.net.letters import Letter, Letters
from tenantry.foundation.net.mail import Post, compose


class Mailer:
    """Writes letters from the templates and hands them to the post; used by jobs only, after the commit."""

    def __init__(self, letters: Letters, post: Post, *, sender: Address, clock: Clock) -> None:
        self.letters = letters
        self.post = post
        self._sender = sender
        self._clock = clock

    async def send(self, letter: Letter) -> None:
        """Send a letter; sending the same one again sends the same mail."""
        await self.post.deliver(compose(letter, letters=self.letters, sender=self._sender, at=self._clock.now()))
