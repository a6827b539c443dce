"""A consumer that keeps a row for each event; apart from the handlers, as no worker under test shall serve it."""

from __future__ import annotations

from collections.abc import Sequence

from bench.product.events import WordSaid
from tenantry.foundation.data.sql import run
from tenantry.foundation.events.consumer import ConsumerWork, Logged, consumer

keep_seen = run("insert into bench.seen (reader, number) select :reader, unnest(:numbers::bigint[])")


@consumer(WordSaid)
async def keep_words(work: ConsumerWork, happened: Sequence[Logged]) -> None:
    """Keep the number of each word; one that came twice would fail."""
    numbers = [logged.event.number for logged in happened if isinstance(logged.event, WordSaid)]
    await keep_seen(work, reader=work.call.actor.name, numbers=numbers)
