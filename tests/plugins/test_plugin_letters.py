"""A plugin says in its own words what core's letters say."""

from __future__ import annotations

from pathlib import Path

from tenantry.assemble import registry as build_registry
from tenantry.foundation.domain import Domain, Registry
from tenantry.testing import installed


async def test_a_letter_of_a_plugin_is_sent_in_place_of_cores(database_url: str, tmp_path: Path) -> None:
    folder = tmp_path / "letters"
    folder.mkdir()
    (folder / "verify_email.txt").write_text("Subject: Welcome aboard\n\nStep in: {{ link }}\n")
    (folder / "verify_email.html").write_text("<p>Step <a href='{{ link }}'>in</a></p>")
    own = Registry((*build_registry().domains, Domain(name="welcoming", needs=("accounts",), letters=folder)))
    async with installed(database_url, tmp_path, registry=own) as house:
        await house.register("ada@example.com")
        await house.drain_jobs()
        [mail] = await house.mails()
    assert mail.subject == "Welcome aboard"
    assert mail.text.startswith("Step in: http")
