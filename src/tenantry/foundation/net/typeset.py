"""Setting letters: MJML sources become HTML templates, once, when the wheel is built or a checkout is set up.

Not here: filling a template in (`letters.py`). Nothing but the standard library is imported up here, so that
the build hook can load this file by its path before Tenantry's dependencies are there.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

FRAME = Path(__file__).with_name("frame.mjml")
COMPILED = "compiled"


def build_all(root: Path) -> list[Path]:
    """Set the letters of each folder called `letters` below the root."""
    folders = sorted(path for path in root.rglob("letters") if path.is_dir())
    return [page for folder in folders for page in build(folder)]


def build(folder: Path) -> list[Path]:
    """Set each `NAME.mjml` of a folder to `compiled/NAME.html`, and drop pages whose source is gone."""
    sources = sorted(folder.glob("*.mjml"))
    pages = [folder / COMPILED / f"{source.stem}.html" for source in sources]
    for source, page in zip(sources, pages, strict=True):
        _put(page, typeset(source))
    for orphan in set((folder / COMPILED).glob("*.html")) - set(pages):
        orphan.unlink()
    return pages


def typeset(source: Path) -> str:
    """The page of one letter: set in the shared frame, or alone when it is a whole MJML document itself."""
    # late: mjml belongs to the build group: a running Tenantry has only its results
    from mjml import mjml2html  # noqa: PLC0415

    letter = source.read_text("utf-8")
    document = letter if letter.lstrip().startswith("<mjml") else FRAME.read_text("utf-8")
    try:
        # no fonts: MJML's own list would have each reader's mail client call a font server
        return mjml2html(document, disable_comments=True, fonts={}, include_loader=lambda _: letter)
    except (OSError, ValueError) as error:
        raise ValueError(f"{source.name} cannot be set: {error}") from error


def main() -> None:
    """`python -m tenantry.foundation.net.typeset [ROOT]`: set our letters, or a plugin's below a root."""
    roots = [Path(argument) for argument in sys.argv[1:]] or [Path(__file__).parents[2]]
    for page in (page for root in roots for page in build_all(root)):
        sys.stdout.write(f"{page}\n")


def _put(page: Path, text: str) -> None:
    page.parent.mkdir(exist_ok=True)
    # renamed into place: another instance that starts beside this one must not read half a page
    draft = page.with_name(f".{page.name}.{os.getpid()}")
    draft.write_text(text, "utf-8")
    draft.replace(page)


if __name__ == "__main__":
    main()
