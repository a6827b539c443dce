"""One way out: whoever asks a URL that a customer set goes through the egress client, and every such URL is vetted."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator

import msgspec

from rules.source import Module, modules
from tenantry.foundation.domain import Registry

EGRESS = "tenantry.foundation.net.egress"
CLIENTS = (
    "aiohttp", "aiosmtplib", "dns", "ftplib", "grpc", "h11", "h2", "http.client", "httpcore", "httpx", "httpx2",
    "niquests", "pycurl", "requests", "smtplib", "stripe", "tornado", "urllib.request", "urllib3", "websockets",
)  # fmt: skip
CONNECTS = {
    "create_connection", "create_datagram_endpoint", "getaddrinfo", "open_connection", "sock_connect",
    "start_connection", "urlopen",
}  # fmt: skip
# whom each asks, and why no customer decides it
OTHERS = {
    "tenantry.billing.stripe.transport": "Stripe, at the operator's URL",
    "tenantry.foundation.net.smtp": "the operator's mail server",
    "tenantry.entrypoints.port": "nobody: it listens, at the operator's address",
    "tenantry.entrypoints.dev.household": "the process that `bin/dev` has just started, on this machine",
    "tenantry.entrypoints.http.local_stripe": "the port of the local Stripe, in development",
}
TEST_KIT = "tenantry.testing"

LEADS_OUT = re.compile(r"ur[li]|href|link|callback|endpoint|host", re.IGNORECASE)
# a text that a client sends and somebody may ask later: the module that has it vetted
VETTED = {
    "NewEndpoint.url": "tenantry.webhooks.exchanges",
    "EndpointChange.url": "tenantry.webhooks.exchanges",
}
IMPORTS = (
    "import httpx",
    "import urllib.request as r",
    "from urllib import request",
    "from http import client",
    "from urllib.request import urlopen",
    "def f():\n    import requests",
    "import socket\nsocket.create_connection(x)",
    "from asyncio import open_connection\nopen_connection()",
    "loop.create_connection(x)",
    "import aiohttp.web",
)
HEAVY = {"aiohttp", "dns", "yarl"}


def _asks(module: Module) -> Iterator[str]:
    for node in ast.walk(module.tree):
        match node:
            case ast.Import():
                yield from (alias.name for alias in node.names if _is_client(alias.name))
            case ast.ImportFrom(module=str(package), level=0):
                yield from (f"{package}.{alias.name}" for alias in node.names if _is_client(f"{package}.{alias.name}"))
            case ast.Attribute(attr=name) | ast.Name(id=name) if name in CONNECTS:
                yield name


def _is_client(name: str) -> bool:
    return any(name == client or name.startswith(f"{client}.") for client in CLIENTS)


def _is_within(name: str, package: str) -> bool:
    return name == package or name.startswith(f"{package}.")


def test_whoever_asks_the_outside_is_known_and_asks_for_nothing_of_a_customer() -> None:
    asking = {name for name, module in modules().items() if any(_asks(module))}
    unknown = {name for name in asking if not (_is_within(name, EGRESS) or _is_within(name, TEST_KIT))} - set(OTHERS)
    assert not unknown, "ask by runtime.egress, or say here whom it asks"
    assert set(OTHERS) <= asking


def test_a_client_is_found_however_it_is_imported() -> None:
    for text in IMPORTS:
        assert any(_asks(Module("x", next(iter(modules().values())).path, text, ast.parse(text)))), text


def _texts_that_lead_out(registry: Registry) -> Iterator[str]:
    """Each text field of a body or a query, of the structs within them too, whose name says that it leads somewhere."""
    shapes = [shape for route in registry.routes for shape in (route.body, route.query) if shape is not None]
    for shape in shapes:
        for struct in _structs(msgspec.inspect.type_info(shape)):
            for field in struct.fields:
                if LEADS_OUT.search(field.name) and _is_text(field.type):
                    yield f"{struct.cls.__name__}.{field.name}"


def _structs(kind: msgspec.inspect.Type) -> Iterator[msgspec.inspect.StructType]:
    match kind:
        case msgspec.inspect.StructType():
            yield kind
            for field in kind.fields:
                yield from _structs(field.type)
        case msgspec.inspect.UnionType():
            for one in kind.types:
                yield from _structs(one)
        case msgspec.inspect.ListType() | msgspec.inspect.VarTupleType() | msgspec.inspect.SetType():
            yield from _structs(kind.item_type)
        case msgspec.inspect.DictType():
            yield from _structs(kind.value_type)
        case msgspec.inspect.Metadata():
            yield from _structs(kind.type)


def _is_text(kind: msgspec.inspect.Type) -> bool:
    match kind:
        case msgspec.inspect.StrType() | msgspec.inspect.CustomType() | msgspec.inspect.AnyType():
            return True
        case msgspec.inspect.UnionType():
            return any(map(_is_text, kind.types))
        case msgspec.inspect.ListType() | msgspec.inspect.VarTupleType() | msgspec.inspect.SetType():
            return _is_text(kind.item_type)
        case msgspec.inspect.DictType():
            return _is_text(kind.value_type)
        case msgspec.inspect.Metadata():
            return _is_text(kind.type)
    return False


def test_every_url_that_a_client_sets_says_what_vets_it(registry: Registry) -> None:
    undecided = set(_texts_that_lead_out(registry)) - set(VETTED)
    assert not undecided, "have it vetted by runtime.egress.vet, and say here where"


def test_what_is_said_to_vet_does_vet() -> None:
    for field, name in VETTED.items():
        assert "egress.vet(" in modules()[name].text, field


def test_the_way_out_costs_nothing_until_somebody_is_asked() -> None:
    code = f"import sys, {EGRESS} as way; way.Egress(allow=['127.0.0.1:1']); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert not HEAVY & set(done.stdout.split())
