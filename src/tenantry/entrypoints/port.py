"""The port that a server is to listen on: whether it can, asked before anything is started."""

from __future__ import annotations

import socket


class PortTaken(Exception):
    """The port cannot be listened on; the sentence says why."""


def refuse_taken_port(host: str, port: int) -> None:
    """Raise PortTaken, unless a server could listen there at this moment."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        with socket.socket(family, kind, protocol) as probe:
            # as the server will: connections of its last run that linger do not count
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise PortTaken(f"cannot listen on port {port} of {host} ({reason}): choose another with --port.") from error
