"""An embedded PostgreSQL over TCP for `deploy/image`: what a hosted database is to the image, until SIGTERM.

Usage: postgres.py FOLDER URL_FILE; the owner's URL appears in the file, whole, once the server answers.
"""

from __future__ import annotations

import os
import signal
import socket
import sys
from pathlib import Path
from urllib.parse import urlsplit

from tenantry.foundation.data.embedded import EmbeddedPostgres


def main() -> None:
    folder, url_file = (Path(argument) for argument in sys.argv[1:])
    with socket.create_server(("127.0.0.1", 0)) as probe:
        place = f"127.0.0.1:{probe.getsockname()[1]}"
    # blocked before the first thread starts, so that only sigwait receives them
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT})
    server = EmbeddedPostgres(folder, durable=False, listen=place)
    url = urlsplit(server.start())
    try:
        _publish(f"postgresql://{url.username}:{url.password}@{place}{url.path}", url_file)
        signal.sigwait({signal.SIGTERM, signal.SIGINT})
    finally:
        server.stop()


def _publish(url: str, file: Path) -> None:
    draft = file.with_suffix(".draft")
    draft.touch(mode=0o600)
    draft.write_text(url + os.linesep, "utf-8")
    draft.replace(file)


if __name__ == "__main__":
    main()
