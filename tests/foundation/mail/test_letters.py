"""What a letter says, whatever a person typed and whatever a plugin overrides."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import msgspec
import pytest
from mail_samples import LINK, body, composed, hello, sent_through_bytes, verify_email

from tenantry.foundation.net import typeset
from tenantry.foundation.net.letters import Letter, Letters, Link, UnusableLetter, Wording, flat, inert


def test_every_letter_of_accounts_has_both_halves_and_can_be_filled_in(accounts: Path) -> None:
    letters = Letters([accounts], product="Acme")
    assert letters.templates() == sorted(source.stem for source in accounts.glob("*.mjml"))
    for name in letters.templates():
        wanted = {value: f"https://app.example.com/{value}" for value in letters.wants(name)}
        written = letters.write(Letter(name, "ada@example.com", "k", {k: Link(v) for k, v in wanted.items()}))
        assert "Acme" in written.subject
        for link in wanted.values():
            assert link in written.text
            assert link in written.html


def test_the_page_carries_the_link_once_as_a_link_and_once_bare(accounts: Path) -> None:
    written = Letters([accounts], product="Acme").write(verify_email())
    escaped = LINK.replace("&", "&amp;")
    assert written.html.count(f'href="{escaped}"') == 1
    assert len(re.findall(r">\s*" + re.escape(escaped) + r"\s*<", written.html)) == 1
    assert written.html.count("tok_3fA9") == 2
    assert written.text.count(str(LINK)) == 1


def test_a_page_asks_no_other_host_for_anything(accounts: Path) -> None:
    pages = [page.read_text() for page in (accounts / "compiled").glob("*.html")]
    assert len(pages) == len(list(accounts.glob("*.mjml")))
    for page in pages:
        assert set(re.findall(r"https?://[^\"'\s)]+", page)) == {"http://www.w3.org/1999/xhtml"}
        assert not re.search(r"src=|@import|<link", page)


def test_a_letter_says_nothing_about_who_asked_for_it(accounts: Path) -> None:
    letters = Letters([accounts], product="Acme")
    assert letters.wants("verify_email") == {"link", "hours"}
    assert letters.wants("already_registered") == {"sign_in", "reset"}


@pytest.mark.parametrize(
    ("typed", "shown"),
    [
        ("Ada Lovelace", "Ada Lovelace"),
        ("J. R. R. Tolkien", "J. R. R. Tolkien"),
        ("Acme Inc., Paris", "Acme Inc., Paris"),
        ("عائشة", "عائشة"),
        ("https://evil.com/login", "https evil·com login"),
        ("www.evil.com", "www·evil·com"),
        ("evil。com", "evil·com"),
        ("http：／／evil．com", "http evil·com"),
        ("mailto:a@evil.com", "mailto a evil·com"),
        ("evil\u200b.\u2060com", "evil·com"),
        ("Ada\r\nBcc: eve@evil.com", "Ada Bcc: eve evil·com"),
        ("a\x00b\x1b[2J \ud800c", "ab[2J c"),
        ("\u202egnp.live\u2066", "gnp·live"),
        ("x" * 500, "x" * 200 + "…"),
    ],
)
def test_what_a_person_typed_is_shown_so_that_no_mail_program_makes_a_link_of_it(typed: str, shown: str) -> None:
    assert inert(typed) == shown


def test_a_name_with_line_breaks_gives_one_recipient_and_no_header(greeting: Path) -> None:
    message = composed(greeting, hello("Eve\r\nBcc: eve@evil.com\r\n\r\n<h1>free</h1>\x85To: x@evil.com"))
    parsed = sent_through_bytes(message)
    assert parsed["To"] == "ada@example.com"
    assert [parsed["Bcc"], parsed["Cc"]] == [None, None]
    assert parsed.get_all("To") == ["ada@example.com"]
    assert parsed["Subject"].startswith("Eve Bcc: eve evil·com")
    assert "evil.com" not in message.as_string()


@pytest.mark.parametrize("name", ["{{7*7}}", "{% include 'hello.txt' %}", "{{ link }}"])
def test_a_name_is_never_a_template(greeting: Path, name: str) -> None:
    message = composed(greeting, hello(name))
    assert inert(name) in message["Subject"]
    assert inert(name) in body(message, "plain")
    assert "49" not in body(message, "plain")
    assert body(message, "plain").count("tok_3fA9") == 1


def test_markup_in_a_name_is_text_in_the_page(greeting: Path) -> None:
    page = body(composed(greeting, hello('<a href="https://evil.com">click</a><script>')), "html")
    assert "&lt;script&gt;" in page
    assert "<script" not in page
    assert page.count("<a ") == 1
    assert "evil.com" not in page


def test_a_name_cannot_pass_for_a_link_or_for_our_own_words(greeting: Path) -> None:
    with pytest.raises(ValueError, match="a link starts with"):
        Link("javascript:alert(1)")
    for broken in ["https://a b", 'https://a"b', "https://a\nb", "https://a<b", "//a"]:
        with pytest.raises(ValueError, match="a link starts with"):
            Link(broken)
    letter = msgspec.structs.replace(hello("x"), values={"name": Wording("v1.2 at 10:30 <b>"), "link": LINK})
    message = composed(greeting, letter)
    assert message["Subject"] == "v1.2 at 10:30 <b> invites you"
    assert "v1.2 at 10:30 &lt;b&gt;" in body(message, "html")


def test_a_value_that_is_neither_text_nor_a_number_is_refused(greeting: Path) -> None:
    values: dict[str, Any] = {"name": ["a"], "link": LINK}
    with pytest.raises(TypeError, match="not list"):
        composed(greeting, Letter("hello", "ada@example.com", "k", values))


def test_a_plugins_letter_wins_over_ours(accounts: Path, tmp_path: Path) -> None:
    plugin = tmp_path / "plugin"
    plugin.mkdir()
    (plugin / "verify_email.txt").write_text("Subject: Willkommen\n\nHier lang: {{ link }}\n")
    (plugin / "verify_email.mjml").write_text(
        "<mj-section><mj-column><mj-text>Hier {{ link }}</mj-text></mj-column></mj-section>"
    )
    typeset.build(plugin)
    written = Letters([plugin, accounts], product="Acme").write(verify_email())
    assert (written.subject, written.text) == ("Willkommen", f"Hier lang: {LINK}\n")
    assert "Hier" in written.html
    assert Letters([plugin, accounts], product="Acme").templates() == Letters([accounts], product="Acme").templates()


def test_a_plugin_may_write_its_page_by_hand_and_leave_the_other_half_alone(accounts: Path, tmp_path: Path) -> None:
    (tmp_path / "verify_email.html").write_text("<p>{{ link }} {{ product }}</p>")
    written = Letters([tmp_path, accounts], product="A<b>").write(verify_email())
    assert written.html == f"<p>{LINK.replace('&', '&amp;')} A&lt;b&gt;</p>"
    assert written.subject == "Confirm your address for A<b>"


def test_a_letter_that_lacks_a_value_a_half_or_a_subject_is_refused(accounts: Path, tmp_path: Path) -> None:
    letters = Letters([tmp_path, accounts], product="Acme")
    with pytest.raises(UnusableLetter, match="'hours' is undefined"):
        letters.write(Letter("verify_email", "ada@example.com", "k", {"link": LINK}))
    (tmp_path / "half.txt").write_text("Subject: x\n")
    with pytest.raises(UnusableLetter, match=r"half\.html.*typeset"):
        letters.wants("half")
    (tmp_path / "mute.txt").write_text("Hello\n")
    with pytest.raises(UnusableLetter, match="does not start with a line"):
        letters.write(Letter("mute", "ada@example.com", "k"))


def test_a_subject_is_one_line_whatever_its_template_holds(tmp_path: Path) -> None:
    (tmp_path / "odd.txt").write_text("Subject:  one\ttwo\x85 three\x0bfour \n\nText\n")
    (tmp_path / "odd.html").write_text("<p>Text</p>")
    written = Letters([tmp_path], product="Acme").write(Letter("odd", "ada@example.com", "k"))
    assert written.subject == "one two three four"


def test_building_again_drops_the_page_of_a_letter_that_is_gone(greeting: Path) -> None:
    (page,) = (greeting / "compiled").iterdir()
    (greeting / "hello.mjml").rename(greeting / "renamed.mjml")
    assert typeset.build_all(greeting.parent) == []
    assert typeset.build(greeting) == [page.with_name("renamed.html")]
    assert list((greeting / "compiled").iterdir()) == [page.with_name("renamed.html")]


def test_a_letter_that_cannot_be_set_is_named(tmp_path: Path) -> None:
    (tmp_path / "broken.mjml").write_text("<mj-section><mj-nothing")
    with pytest.raises(ValueError, match=r"^broken\.mjml cannot be set"):
        typeset.build(tmp_path)


def test_flat_text_keeps_the_joiners_that_scripts_need() -> None:
    assert flat(" می\u200cخواهم \t 👩\u200d💻 ") == "می\u200cخواهم 👩\u200d💻"
