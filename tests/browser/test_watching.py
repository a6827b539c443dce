"""What is watched in a window: each thing that nobody should meet is noted."""

from __future__ import annotations

import pytest
from playwright.async_api import Browser
from watching import Look, Opening, Watched, windows

from tenantry.testing import Installation

pytestmark = pytest.mark.slow
ADD = "async ([tag, given]) => { document.body.append(Object.assign(document.createElement(tag), given)); }"


async def _noted(one: Watched, *words: str) -> None:
    """Each of these is said in one fault or another; they are forgiven, for it was us."""
    for _ in range(100):
        if all(any(word in fault for fault in one.faults) for word in words):
            one.faults.clear()
            return
        await one.page.wait_for_timeout(50)
    raise AssertionError(f"{words} not in {one.faults}")


@pytest.fixture
async def one(window: Opening) -> Watched:
    """A window on a page of ours."""
    one = await window(Look())
    assert await one.visit("/account/login") == 200
    assert one.faults == []
    return one


async def test_a_dialog_is_noted_unless_it_was_agreed_to(one: Watched) -> None:
    assert await one.page.evaluate("() => confirm('Delete it?')") is False
    await _noted(one, "a dialog: Delete it?")
    one.agreed.add("Delete it?")
    assert await one.page.evaluate("() => confirm('Delete it?')") is True
    assert one.faults == []


async def test_what_a_script_complains_of_is_noted(one: Watched) -> None:
    await one.page.evaluate("() => console.error('no such thing')")
    await _noted(one, "on the console: no such thing")
    await one.page.evaluate("() => void setTimeout(() => { throw new Error('lost') })")
    await _noted(one, "a script broke: lost")


async def test_what_the_policy_forbids_is_noted(one: Watched) -> None:
    await one.page.evaluate(ADD, ["script", {"textContent": "document.title = 'taken'"}])
    await _noted(one, "Content Security Policy")
    await one.page.evaluate(ADD, ["style", {"textContent": "body { display: none }"}])
    await _noted(one, "Content Security Policy")
    assert await one.page.title() != "taken"


async def test_what_could_not_be_had_is_noted(one: Watched) -> None:
    await one.page.evaluate(ADD, ["img", {"src": "/account/nowhere.png"}])
    await _noted(one, "404 from http://127.0.0.1")


async def test_asking_somebody_else_is_noted(one: Watched) -> None:
    await one.page.goto("about:blank")
    one.faults.clear()
    # a port that nobody listens on
    await one.page.evaluate(ADD, ["img", {"src": "http://127.0.0.1:9/pixel.gif"}])
    await _noted(one, "asked somebody else: http://127.0.0.1:9/pixel.gif")


async def test_a_page_that_is_refused_is_no_fault_by_itself(one: Watched) -> None:
    assert await one.visit("/account/verify") == 410
    assert one.faults == []


async def test_axe_finds_what_cannot_be_used(one: Watched) -> None:
    await one.page.evaluate(ADD, ["input", {"type": "text"}])
    assert [told.partition(":")[0] for told in await one.violations()] == ["label", "region"]


async def test_what_lies_beyond_the_edge_is_found(window: Opening) -> None:
    one = await window(Look(360))
    await one.visit("/account/login")
    await one.page.evaluate("() => { document.querySelector('h1').style.width = '500px'; }")
    [told] = await one.violations()
    assert told.endswith("pixels lie beyond the edge")


async def test_a_window_is_not_closed_with_a_fault_in_it(chromium: Browser, house: Installation, axe: str) -> None:
    async def asks() -> None:
        async with windows(chromium, house.origin, axe) as open_one:
            await (await open_one(Look())).page.evaluate("() => confirm('Delete it?')")
            await open_one(Look())

    with pytest.raises(AssertionError, match="a dialog: Delete it"):
        await asks()


async def test_a_look_is_what_it_says(window: Opening) -> None:
    for look in (Look(360, "dark"), Look(1440, "light")):
        one = await window(look)
        await one.visit("/account/login")
        asked = "() => [innerWidth, matchMedia('(prefers-color-scheme: dark)').matches ? 'dark' : 'light']"
        assert await one.page.evaluate(asked) == [look.width, look.scheme]
    one = await window(Look(scripts=False))
    await one.page.goto("data:text/html,<title>still</title><script>document.title = 'moved'</script>")
    assert await one.page.title() == "still"
