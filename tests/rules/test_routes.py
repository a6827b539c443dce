"""Every served route is listed public or asks for a credential; none is judged by the text of its path."""

from __future__ import annotations

import ast
import itertools
from pathlib import Path
from typing import Any

import pytest

from rules.source import modules
from tenantry.assemble import build_runtime
from tenantry.entrypoints.console.assets import console_assets
from tenantry.entrypoints.http.app import _paths, build_app
from tenantry.foundation.domain import Registry
from tenantry.foundation.runtime import Runtime
from tenantry.settings import read_settings
from tenantry.testing.installation import MASTER_KEYS

PUBLIC = {
    "POST /v1/auth/register": "nobody has an account before",
    "POST /v1/auth/verify-email": "the mailed token and a proof are the credential",
    "POST /v1/auth/resend": "answers the same to everybody",
    "POST /v1/auth/login": "signs in",
    "POST /v1/admin/auth/login": "signs an operator in",
    "POST /v1/auth/refresh": "the refresh token is the credential",
    "POST /v1/auth/logout": "the refresh token may be the credential",
    "POST /v1/auth/forgot-password": "answers the same to everybody",
    "POST /v1/auth/reset-password": "the mailed token is the credential",
    "POST /v1/auth/revoke": "the token that is given back is the credential, and the answer is always the same",
    "GET /v1/roles": "what each role may do is no secret",
    "GET /v1/plans": "what there is to buy is no secret",
    "GET /v1/webhook-event-types": "what there is to build on is no secret",
    "POST /v1/stripe/webhook": "the signature is the credential",
}
PAGES = {
    "/livez": "the process is alive, no more",
    "/readyz": "for the load balancer",
    "/healthz": "for people's monitors; states, no figures",
    "/.well-known/jwks.json": "public keys",
    "/openapi.json": "the contract",
    "/docs": "reads the contract",
    "/docs/start.js": "of the page",
    "/docs/swagger-ui.css": "of the page",
    "/docs/swagger-ui-bundle.js": "of the page",
}
PUBLIC_PAGES = {
    "/account/login": "signs in",
    "/console/admin/login": "signs operators in",
    "/account/logout": "who is signed out already may ask again",
    "/account/register": "nobody has an account before",
    "/account/mailed": "says the same to everybody",
    "/account/resend": "answers the same to everybody",
    "/account/verify": "the mailed token and the password are the credential",
    "/account/forgot": "answers the same to everybody",
    "/account/reset": "the mailed token is the credential",
    "/account/invite": "the mailed token is the credential; accepting it asks who is signed in",
}
STYLE = "/account/style.css"
IN_DEVELOPMENT = {"/dev/mail", "/dev/mail.json", "/dev/stripe"}
JUDGES_SPELLING = {
    "tenantry.entrypoints.http.arrival": "one spelling a path: `//` and a last slash are not found",
    "tenantry.entrypoints.http.postman.operation": "reads the document's addresses, and serves nothing",
}
SECRETS = {"secret", "access_token", "refresh_token"}
PATHS = {"path", "self.path", "route.path", "arrival.route", "scope['path']", "scope['raw_path']"}
JUDGING = {"startswith", "endswith", "removeprefix", "fullmatch", "match", "search"}


def _runtime(registry: Registry, folder: Path, **more: str) -> Runtime:
    environ = {
        "TENANTRY_DATABASE_URL": "postgresql://nobody@127.0.0.1:9/nothing",
        "TENANTRY_MASTER_KEYS": MASTER_KEYS,
        "TENANTRY_PUBLIC_URL": "https://api.example.com",
        "TENANTRY_ALLOWED_HOSTS": "api.example.com",
        "TENANTRY_SMTP_URL": "smtps://mail.example.com",
        "TENANTRY_MAIL_FROM": "post@example.com",
        "TENANTRY_DATA": str(folder),
    }
    return build_runtime(read_settings(registry.sections, environ=environ | more, dotenv=None), registry)


def test_every_route_is_listed_public_or_guarded(registry: Registry) -> None:
    assert {f"{route.method} {route.path}" for route in registry.routes if route.public} == set(PUBLIC)


def test_every_page_is_listed_public_or_guarded(registry: Registry) -> None:
    assert {route.path for route in registry.page_routes if route.public} == set(PUBLIC_PAGES)


def test_a_page_and_its_form_are_open_to_the_same(registry: Registry) -> None:
    for page in registry.pages:
        if page.taken is not None:
            assert page.taken.requires == page.shown.requires, page.path
            assert page.taken.even_closed == page.shown.even_closed, page.path
        for form in page.forms.values():
            # whatever it shows again when it refuses is there for whoever sent it
            assert set(form.requires.roles) <= set(page.shown.requires.roles), form.path
            assert page.shown.even_closed or not form.even_closed, form.path
            assert set(page.shown.ids) <= set(form.ids), form.path


def test_what_is_served_beside_the_domains_is_listed(registry: Registry, tmp_path: Path) -> None:
    assert set(_paths(_runtime(registry, tmp_path), registry)) - _of_domains(registry) == set(PAGES)


def test_development_pages_exist_in_development_only(registry: Registry, tmp_path: Path) -> None:
    runtime = _runtime(registry, tmp_path, TENANTRY_ENVIRONMENT="development", TENANTRY_SMTP_URL="")
    assert set(_paths(runtime, registry)) - _of_domains(registry) == set(PAGES) | IN_DEVELOPMENT


def _of_domains(registry: Registry) -> set[str]:
    drawn = {route.path for route in registry.page_routes}
    files = {path for path, _ in console_assets()}
    return {route.path for route in registry.routes} | drawn | files | {STYLE}


def test_whatever_shows_a_secret_shows_it_once(registry: Registry) -> None:
    for route in registry.routes:
        fields = set(getattr(route.answer, "__struct_fields__", ())) & SECRETS
        if route.heeds_keys:
            assert route.shows_secret is bool(fields), f"{route.method} {route.path} shows {fields}"


async def test_a_guarded_route_refuses_whoever_brings_no_credential(registry: Registry, tmp_path: Path) -> None:
    app = build_app(_runtime(registry, tmp_path), registry)
    for route in registry.routes:
        for credential in (b"", b"Bearer nonsense", b"Basic bm86bm8="):
            status = await _status(app, route.method, route.path.replace("{", "").replace("}", ""), credential)
            assert (status == 401) is not route.public, f"{route.method} {route.path} answered {status}"


async def test_a_guarded_page_leads_whoever_brings_no_credential_to_signing_in(
    registry: Registry, tmp_path: Path
) -> None:
    app = build_app(_runtime(registry, tmp_path), registry)
    for page in registry.pages:
        if not page.shown.public:
            assert await _status(app, "GET", page.path, b"") == 303, page.path
            assert await _status(app, "POST", page.path, b"") in {403, 405}, page.path
        for path, form in page.forms.items():
            assert form.public or await _status(app, "POST", path, b"") == 403, path
            assert await _status(app, "GET", path, b"") == 405, path


# nobody is refused for what others tried
_sources = itertools.cycle(f"192.0.2.{number}" for number in range(1, 255))


async def _status(app: Any, method: str, path: str, credential: bytes) -> int:
    headers = [(b"host", b"api.example.com")] + [(b"authorization", credential)] * bool(credential)
    scope = {
        "type": "http", "method": method, "path": path, "raw_path": path.encode(), "query_string": b"",
        "headers": headers, "client": (next(_sources), 1), "server": ("api.example.com", 443), "scheme": "https",
        "http_version": "1.1", "root_path": "",
    }  # fmt: skip
    said: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        said.append(message)

    await app(scope, receive, send)
    return int(said[0]["status"])


@pytest.mark.parametrize("name", sorted(name for name in modules() if name.startswith("tenantry.entrypoints.http")))
def test_nothing_is_decided_by_the_text_of_a_path(name: str) -> None:
    judged = [ast.unparse(node) for node in ast.walk(modules()[name].tree) if _judges_a_path(node)]
    assert not judged or name in JUDGES_SPELLING, judged


def _judges_a_path(node: ast.AST) -> bool:
    if isinstance(node, ast.Compare):
        return any(_is_path(side) for side in (node.left, *node.comparators))
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in JUDGING:
        return any(_is_path(one) for one in (node.func.value, *node.args))
    return False


def _is_path(node: ast.expr) -> bool:
    return ast.unparse(node) in {
        "path",
        "self.path",
        "route.path",
        "arrival.route",
        "scope['path']",
        "scope['raw_path']",
    }
