"""Folders of letters, set as the build sets them."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

import tenantry
from tenantry.foundation.net import typeset

SOURCES = Path(tenantry.__file__).parent


@pytest.fixture(scope="module")
def accounts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("accounts") / "letters"
    shutil.copytree(SOURCES / "accounts/letters", folder, ignore=shutil.ignore_patterns("compiled"))
    typeset.build(folder)
    return folder


@pytest.fixture
def greeting(tmp_path: Path) -> Path:
    """A letter that shows a name in its subject and in both bodies."""
    folder = tmp_path / "greeting"
    folder.mkdir()
    (folder / "hello.txt").write_text("Subject: {{ name }} invites you\n\nFrom {{ name }}:\n{{ link }}\n")
    (folder / "hello.mjml").write_text(
        "<mj-section><mj-column><mj-text>From {{ name }}</mj-text>"
        '<mj-button href="{{ link }}">Open</mj-button></mj-column></mj-section>'
    )
    typeset.build(folder)
    return folder
