"""Names: asked of DNS alone, every answer vetted, at registration and again whenever a connection is made."""

from __future__ import annotations

import asyncio
from time import monotonic

import dns.asyncresolver
import dns.name
import dns.rcode
import dns.resolver
import pytest

from egress.egress_kit import NAME, QUICK, Records, Resolver, always, egress, post, receiver, resolving, saying
from tenantry.foundation.net.egress import AddressRefused, Egress, NotReached
from tenantry.foundation.net.egress.names import MOST_ADDRESSES

URL = f"https://{NAME}/hook"


async def _vet(*addresses: str, url: str = URL) -> str | None:
    async with resolving(always(*addresses)) as resolver, egress(resolver=resolver) as asking:
        try:
            await asking.vet(url)
        except AddressRefused as error:
            return error.why
    return None


@pytest.mark.parametrize(
    "addresses",
    [("8.8.8.8",), ("8.8.8.8", "1.1.1.1"), ("2606:4700::1111",), ("8.8.8.8", "2606:4700::1111"),
     ("cdn.example.net.", "8.8.8.8"), ("a.example.net.", "b.example.net.", "2606:4700::1111")],
)  # fmt: skip
async def test_a_name_with_public_addresses_is_taken(addresses: tuple[str, ...]) -> None:
    assert await _vet(*addresses) is None


@pytest.mark.parametrize(
    "addresses",
    [("127.0.0.1",), ("::1",), ("8.8.8.8", "127.0.0.1"), ("8.8.8.8", "::1"), ("10.0.0.1", "2606:4700::1111"),
     ("8.8.8.8", "::ffff:8.8.8.8"), ("64:ff9b::8.8.8.8",), ("cdn.example.net.", "169.254.169.254"),
     (*[f"8.8.8.{last}" for last in range(40)], "192.168.0.1")],
)  # fmt: skip
async def test_one_answer_that_is_not_public_refuses_the_name(addresses: tuple[str, ...]) -> None:
    assert await _vet(*addresses) == "must lead to public addresses only"


@pytest.mark.parametrize("addresses", [(), ("dangling.example.net.",), tuple(f"8.8.{n}.8" for n in range(70))])
async def test_no_address_or_very_many_are_no_place_to_go(addresses: tuple[str, ...]) -> None:
    assert not addresses or len(addresses) == 1 or len(addresses) > MOST_ADDRESSES
    assert await _vet(*addresses) == "must name a host that can be resolved"


@pytest.mark.parametrize("zone_says", [dns.rcode.NXDOMAIN, dns.rcode.SERVFAIL, dns.rcode.REFUSED, None])
async def test_a_name_server_that_fails_or_is_silent_ends_in_time(zone_says: Records) -> None:
    async with resolving(lambda *_: zone_says) as resolver, egress(resolver=resolver) as asking:
        began = monotonic()
        with pytest.raises(AddressRefused, match="can be resolved"):
            await asking.vet(URL)
        with pytest.raises(NotReached) as failed:
            await post(asking, URL)
    assert failed.value.kind == "unresolved"
    assert monotonic() - began < 2 * QUICK.resolving + 1


@pytest.mark.parametrize("broken", [dns.rcode.SERVFAIL, None])
async def test_a_name_server_that_knows_one_kind_of_address_is_enough(broken: Records) -> None:
    def zone(_: str, kind: str, __: int) -> Records:
        return ["8.8.8.8"] if kind == "A" else broken

    async with resolving(zone) as resolver, egress(resolver=resolver) as asking:
        await asking.vet(URL)


async def test_a_question_that_is_lost_is_asked_again() -> None:
    def zone(_: str, kind: str, before: int) -> Records:
        return (["8.8.8.8"] if kind == "A" else []) if before else None

    async with resolving(zone) as resolver, egress(resolver=resolver) as asking:
        await asking.vet(URL)


def _of_the_machine(resolver: Resolver) -> dns.asyncresolver.Resolver:
    """What a machine would have that names this resolver, and has a list of ends for short names."""
    made = dns.asyncresolver.Resolver(configure=False)
    address, port = resolver.pair.split(":")
    made.nameservers, made.port = [address], int(port)
    made.search, made.use_search_by_default = [dns.name.from_text("example.net.")], True
    return made


async def test_a_name_is_asked_for_as_it_is_with_no_list_of_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    async with resolving(lambda *_: dns.rcode.NXDOMAIN) as resolver, egress() as asking:
        made = _of_the_machine(resolver)
        monkeypatch.setattr(dns.asyncresolver, "Resolver", lambda: made)
        with pytest.raises(AddressRefused):
            await asking.vet("https://bücher.example.com/")
    assert {name for name, _ in resolver.asked} == {"xn--bcher-kva.example.com"}


async def test_a_slow_name_server_takes_no_thread() -> None:
    async with resolving(lambda *_: None) as resolver, egress(resolver=resolver) as asking:
        waiting = [asyncio.create_task(asking.vet(URL)) for _ in range(100)]
        began = monotonic()
        await asyncio.to_thread(lambda: None)
        assert monotonic() - began < QUICK.resolving / 2
        assert all(isinstance(one, AddressRefused) for one in await asyncio.gather(*waiting, return_exceptions=True))


async def test_a_machine_without_a_resolver_fails_at_the_question_and_not_before(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def none_configured() -> None:
        raise dns.resolver.NoResolverConfiguration

    async with resolving(always("8.8.8.8")) as resolver:
        monkeypatch.setattr(dns.asyncresolver, "Resolver", none_configured)
        asking = Egress(limits=QUICK)
        with pytest.raises(AddressRefused, match="can be resolved"):
            await asking.vet(URL)
        with pytest.raises(NotReached) as failed:
            await post(asking, URL)
        assert failed.value.kind == "unresolved"
        monkeypatch.undo()
        # the machine has one now: nothing of the failure was kept
        made = _of_the_machine(resolver)
        monkeypatch.setattr(dns.asyncresolver, "Resolver", lambda: made)
        await asking.vet(URL)
        await asking.close()


async def test_a_name_that_moves_into_our_network_is_not_followed() -> None:
    """The rebinding: a public address for whoever vets, ours for whoever connects."""

    def zone(_: str, kind: str, before: int) -> Records:
        return [] if kind == "AAAA" else ["127.0.0.1"] if before else ["8.8.8.8"]

    async with receiver() as canary, resolving(zone) as resolver, egress(resolver=resolver) as asking:
        url = f"https://{NAME}:{canary.port}/hook"
        await asking.vet(url)
        with pytest.raises(NotReached) as failed:
            await post(asking, url)
        assert failed.value.kind == "refused_address"
        assert "127.0.0.1" not in failed.value.sentence
        assert canary.connections == 0


@pytest.mark.parametrize("bad", ["127.0.0.1", "::1", "::ffff:127.0.0.1"])
async def test_an_address_of_ours_beside_one_that_may_be_asked_keeps_us_from_both(bad: str) -> None:
    async with (
        receiver() as canary,
        receiver(host="127.0.0.2") as sink,
        resolving(always("127.0.0.2", bad)) as resolver,
    ):
        async with egress(sink, resolver=resolver) as asking:
            with pytest.raises(NotReached) as failed:
                await post(asking, f"http://{NAME}:{sink.port}/")
        assert failed.value.kind == "refused_address"
        assert canary.connections == sink.connections == 0


async def test_each_new_connection_goes_where_the_name_leads_then() -> None:
    """A receiver that hangs up each time has its name asked for again, and its answers vetted again."""
    answers = [["127.0.0.2"], ["127.0.0.2"], ["127.0.0.1"]]

    def zone(_: str, kind: str, before: int) -> Records:
        return [] if kind == "AAAA" else answers[min(before, 2)]

    closing = saying(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")
    async with receiver() as canary, receiver(closing, host="127.0.0.2") as sink, resolving(zone) as resolver:
        for _ in range(2):
            async with egress(sink, resolver=resolver) as asking:
                assert await post(asking, f"http://{NAME}:{sink.port}/") == 204
        for _ in range(2):
            async with egress(sink, resolver=resolver) as asking:
                with pytest.raises(NotReached, match="refused_address"):
                    await post(asking, f"http://{NAME}:{sink.port}/")
        assert (sink.connections, canary.connections) == (2, 0)


async def test_a_name_without_tls_must_lead_to_what_the_operator_allows() -> None:
    async with receiver() as sink, resolving(always("127.0.0.1", "8.8.8.8")) as resolver:
        async with egress(sink, resolver=resolver) as asking:
            url = f"http://{NAME}:{sink.port}/"
            with pytest.raises(AddressRefused, match="must begin with https://"):
                await asking.vet(url)
            with pytest.raises(NotReached) as failed:
                await post(asking, url)
        assert failed.value.kind == "refused_address"
        assert sink.connections == 0
