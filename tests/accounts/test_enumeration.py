"""Nobody learns from an answer whether an address has an account; only its mailbox does."""

from __future__ import annotations

from people import added, seen

from tables import row_counts
from tenantry.testing import HandClock, Installation
from tenantry.testing.installation import PASSWORD


async def _register(house: Installation, email: str) -> tuple[int, dict[str, str], object]:
    body = {"email": email, "password": PASSWORD, "name": "Somebody"}
    return seen(await house.client.post("/v1/auth/register", body))


async def _log_in(
    house: Installation, email: str, password: str = "not the right one"
) -> tuple[int, dict[str, str], object]:
    return seen(await house.client.post("/v1/auth/login", {"email": email, "password": password}))


async def test_registering_a_known_address_is_answered_as_an_unknown_one(house: Installation) -> None:
    ada = await house.person()
    known, unknown = await _register(house, ada.email), await _register(house, "nobody@example.com")
    assert known == unknown
    assert known[0] == 202


async def test_a_wrong_password_is_answered_as_an_unknown_address(house: Installation) -> None:
    ada = await house.person()
    wrong, unknown = await _log_in(house, ada.email), await _log_in(house, "nobody@example.com")
    assert wrong == unknown
    assert wrong[0] == 401


async def test_the_right_password_of_a_disabled_account_is_answered_as_a_wrong_one(house: Installation) -> None:
    ada = await house.person()
    await house.rows("update tenantry.users set disabled_at = tenantry.now() where email = $1", ada.email)
    assert await _log_in(house, ada.email, PASSWORD) == await _log_in(house, "nobody@example.com")


async def test_resending_to_an_account_a_pending_and_an_unknown_address_is_answered_alike(house: Installation) -> None:
    ada = await house.person()
    await house.register("pending@example.com")
    addresses = (ada.email, "pending@example.com", "never@example.com")
    answers = [seen(await house.client.post("/v1/auth/resend", {"email": address})) for address in addresses]
    assert answers[0] == answers[1] == answers[2]
    assert answers[0][0] == 202


async def test_a_wrong_password_and_an_unknown_address_leave_the_same_rows_and_cost_the_same_hashes(
    installation: Installation,
) -> None:
    ada = await installation.person()
    traces = []
    for email in (ada.email, "nobody@example.com"):
        before, hashed = await row_counts(installation), installation.runtime.passwords.submitted
        await _log_in(installation, email)
        traces.append(
            (added(before, await row_counts(installation)), installation.runtime.passwords.submitted - hashed)
        )
    assert traces[0] == traces[1]
    assert traces[0][1] == 1


async def test_registering_a_known_and_an_unknown_address_leaves_the_same_rows_and_costs_the_same_hashes(
    installation: Installation,
) -> None:
    ada = await installation.person()
    traces = []
    for email in (ada.email, "nobody@example.com"):
        before, hashed = await row_counts(installation), installation.runtime.passwords.submitted
        await _register(installation, email)
        traces.append(
            (added(before, await row_counts(installation)), installation.runtime.passwords.submitted - hashed)
        )
    assert traces[0] == traces[1]
    assert traces[0][1] == 1


async def test_asking_again_leaves_the_same_rows_whether_there_is_something_to_send_or_not(
    installation: Installation,
) -> None:
    await installation.register("pending@example.com")
    traces = []
    for email in ("pending@example.com", "nobody@example.com"):
        before = await row_counts(installation)
        await installation.client.post("/v1/auth/resend", {"email": email})
        traces.append(added(before, await row_counts(installation)))
    assert traces[0] == traces[1]


async def test_a_known_address_in_another_spelling_gets_the_letter_at_its_stored_address(house: Installation) -> None:
    await house.person("Grace@example.com")
    before = len(await house.mails())
    await house.register("gRACE@EXAMPLE.com")
    await house.drain_jobs()
    (mail,) = (await house.mails())[: len(await house.mails()) - before]
    assert mail.to == "Grace@example.com"
    assert "already" in mail.subject
    assert "token=" not in mail.text + mail.html


async def test_look_alike_addresses_are_never_mistaken_for_each_other(house: Installation) -> None:
    # a dotless i and a kelvin sign: what lower-casing by hand would confuse
    await house.person("mike@example.com")
    await house.register("mıke@example.com")
    await house.drain_jobs()
    letters = {mail.to for mail in await house.mails() if "already" in mail.subject}
    assert "mike@example.com" not in letters
    assert await house.mailed_token("mıke@example.com")


async def test_an_address_gets_three_mails_an_hour_and_everybody_the_same_answers(
    clocked: Installation, clock: HandClock
) -> None:
    ada = await clocked.person("ada@example.com")
    clock.advance(hours=2)
    for address in (ada.email, "new@example.com"):
        answers = [await _register(clocked, address) for _ in range(3)]
        answers += [seen(await clocked.client.post("/v1/auth/resend", {"email": address})) for _ in range(3)]
        assert {status for status, _, _ in answers} == {202}
    sent_before = len(await clocked.mails())
    await clocked.drain_jobs()
    sent = (await clocked.mails())[: len(await clocked.mails()) - sent_before]
    assert sorted(mail.to for mail in sent) == ["ada@example.com"] * 3 + ["new@example.com"] * 3


async def test_after_an_hour_an_address_gets_mails_again(clocked: Installation, clock: HandClock) -> None:
    for _ in range(4):
        await clocked.register("new@example.com")
    await clocked.drain_jobs()
    assert len(await clocked.mails()) == 3
    clock.advance(minutes=61)
    await clocked.register("new@example.com")
    await clocked.drain_jobs()
    assert len(await clocked.mails()) == 4
