"""What must stay secret stands in no log line, no metric and no row: found out by walking through the house with it.

Web and worker run as processes on a PostgreSQL of their own, all at log level debug. Each password, token and address
of the walk is a canary; afterwards whatever was written anywhere is searched for them, in every disguise that a
logger or an encoder could give them.
"""

from __future__ import annotations

import asyncio
import base64
import json
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import asyncpg
import pytest

from faults.app import Program, environment, eventually, free_port, speaking, until_ready
from tenantry.foundation.data.embedded import EmbeddedPostgres
from tenantry.testing import Client, Databases, Response
from tenantry.testing.installation import MASTER_KEYS

LINK = r"/account/{page}\?token=([A-Za-z0-9._-]+)"
TAIL = 20
"""The last characters of a token, which prove it: its signature, whatever was cut off before."""
MAY_HOLD_ADDRESSES = {
    "address_changes.email",
    "address_changes.email_key",
    "address_changes.previous",
    "details.email_key",
    "details.named",
    "registration_mails.email_key",
    "registrations.email",
    "registrations.email_key",
    "users.email",
    "users.email_key",
}


@dataclass
class Canaries:
    """Every secret of the walk by its name, and what of it no one may ever read."""

    said: dict[str, str] = field(default_factory=dict)
    marks: dict[str, str] = field(default_factory=dict)

    def password(self, name: str) -> str:
        """A password that no encoding leaves as it is, around a word that stands nowhere else."""
        mark = f"pw{name.replace(' ', '')}Kq7vXz"
        return self._keep(name, f"über \"{mark}\" + \\ 'lanterns' %41", mark)

    def address(self, name: str) -> str:
        """An address whose local part stands nowhere else."""
        return self._keep(f"address {name}", f"mx.{name}.kq7vxz@canary.example.com", f"mx.{name}.kq7vxz")

    def token(self, name: str, text: str) -> str:
        """A token that the house gave out, or a setting."""
        return self._keep(name, text, text[-TAIL:])

    def secret(self) -> dict[str, str]:
        """The marks of all but the addresses."""
        return {name: mark for name, mark in self.marks.items() if not name.startswith("address ")}

    def addresses(self) -> dict[str, str]:
        """The marks of the addresses."""
        return {name: mark for name, mark in self.marks.items() if name.startswith("address ")}

    def _keep(self, name: str, text: str, mark: str) -> str:
        assert name not in self.said
        self.said[name], self.marks[name] = text, mark
        return text


def disguises(mark: str) -> Iterator[str]:
    """A mark as it is, and as encoders leave it, wherever in a longer text it stood."""
    raw = mark.encode()
    yield from {mark, quote(mark, safe=""), raw.hex(), repr(mark)[1:-1], json.dumps(mark)[1:-1]}
    for before in range(3):
        # the first and last characters depend on what stands around
        whole = base64.b64encode(b"\0" * before + raw).decode().rstrip("=")
        inner = whole[-(-before * 8 // 6) + 1 : -1]
        yield inner
        yield inner.replace("+", "-").replace("/", "_")


def leaks(text: str, marks: dict[str, str]) -> dict[str, str]:
    """Which canaries a text holds, each with the words around it."""
    found, folded = {}, text.lower()
    for name, mark in marks.items():
        for form in disguises(mark):
            if (place := folded.find(form.lower())) >= 0:
                found[name] = text[max(0, place - 150) : place + 80]
    return found


@pytest.mark.parametrize("around", ["{}", 'a "{}', "http://x/?q={}&y", "ab{}cd"])
def test_a_canary_is_found_in_every_disguise(around: str) -> None:
    canaries = Canaries()
    password, address = canaries.password("right one"), canaries.address("ada")
    token = canaries.token("token", "tnr_" + "aB-_9" * 12)
    for text in (around.format(one) for one in (password, address, token)):
        raw = text.encode()
        encoded = (base64.b64encode(raw), base64.urlsafe_b64encode(raw), raw.hex().encode())
        forms = [text, quote(text), quote(text, safe=""), repr(text), repr(raw), json.dumps(text)]
        forms += [one.decode() for one in encoded]
        for form in forms:
            assert len(leaks(f"at=1 {form} x", canaries.marks)) == 1, form
    assert leaks("nothing of the kind", canaries.marks) == {}


@dataclass
class Walk:
    """A house that is walked through, and what it lets out."""

    url: str
    folder: Path
    client: Client
    settings: dict[str, str]
    programs: dict[str, Program]
    server_log: Path
    canaries: Canaries

    async def mailed(self, to: str, page: str) -> str:
        """The token of the newest link to a page that reached an address."""
        found: list[str] = []

        async def arrived() -> bool:
            mails = (await self.client.get("/dev/mail.json")).json["items"]
            texts = "".join(mail["text"] for mail in mails if mail["to"] == to)
            found.extend(re.findall(LINK.format(page=page), texts))
            return bool(found)

        await eventually(arrived, within=20)
        return found[0]

    async def post(self, path: str, body: Any, *, by: Client | None = None, status: int = 200) -> Response:
        """POST as nobody, or by a person; the status must be the expected one."""
        answer = await (by or self.client).post(path, body)
        assert answer.status == status, (path, answer)
        return answer

    def kept(self, name: str, answer: Response) -> Client:
        """The device that an answer signed in, its tokens canaries from now on."""
        self.canaries.token(f"access token {name}", answer.json["access_token"])
        self.canaries.token(f"refresh token {name}", answer.json["refresh_token"])
        return self.client.signed_in(answer.json)

    async def idle(self) -> None:
        """Wait until no job is left."""

        async def done() -> bool:
            return not await self.owner("select id from tenantry.jobs union all select id from tenantry.job_runs")

        await eventually(done, within=20)

    async def owner(self, *statements: str) -> list[asyncpg.Record]:
        """What the last of some statements finds; the owner asks, in the role that row security lets see all."""
        connection: asyncpg.Connection[Any] = await asyncpg.connect(self.url)
        try:
            async with connection.transaction():
                for change in statements[:-1]:
                    await connection.execute(change)
                await connection.execute("set local role tenantry_system")
                return list(await connection.fetch(statements[-1]))
        finally:
            await connection.close()

    async def written(self) -> AsyncIterator[tuple[str, str]]:
        """The text of every column that has any, by table and column."""
        columns = await self.owner(
            "select relname, attname from pg_attribute join pg_class on pg_class.oid = attrelid"
            " where relnamespace = 'tenantry'::regnamespace and relkind in ('r', 'p') and not relispartition"
            "   and attnum > 0 and not attisdropped"
        )
        for table, column in columns:
            found = await self.owner(f'select string_agg("{column}"::text, E\'\\n\') from tenantry."{table}"')
            yield f"{table}.{column}", found[0][0] or ""

    def logged(self) -> dict[str, str]:
        """All that was logged, by who did."""
        said = {name: "\n".join(program.lines()) for name, program in self.programs.items()}
        return said | {"postgres": self.server_log.read_text(errors="replace")}


async def join(walk: Walk, email: str, password: str, name: str) -> Client:
    """Register, read the mail, prove the address."""
    person = {"email": email, "password": password, "name": "Ada Lovelace"}
    asked = await walk.post("/v1/auth/register", person, status=202)
    proof = walk.canaries.token(f"registration {name}", asked.json["registration"])
    await walk.post("/v1/auth/resend", {"email": email}, status=202)
    token = walk.canaries.token(f"verification {name}", await walk.mailed(email, "verify"))
    return walk.kept(f"of {name}", await walk.post("/v1/auth/verify-email", {"token": token, "registration": proof}))


async def sign_in_and_out(walk: Walk, email: str, password: str) -> None:
    """Wrong and right passwords, refreshing, reuse, giving back, signing out."""
    wrong = walk.canaries.password("wrong")
    await walk.post("/v1/auth/login", {"email": email, "password": wrong}, status=401)
    unknown = walk.canaries.address("unknown")
    await walk.post("/v1/auth/login", {"email": unknown, "password": wrong}, status=401)
    right = {"email": email, "password": password}
    first = walk.kept("to be reused", await walk.post("/v1/auth/login", right))
    used = {"refresh_token": first.tokens["refresh_token"]}
    second = walk.kept("refreshed", await walk.post("/v1/auth/refresh", used))
    third = {"refresh_token": second.tokens["refresh_token"]}
    walk.kept("refreshed again", await walk.post("/v1/auth/refresh", third))
    assert (await walk.post("/v1/auth/refresh", used, status=401)).code == "refresh_reused"
    given = walk.kept("given back", await walk.post("/v1/auth/login", right))
    await walk.post("/v1/auth/revoke", {"token": given.tokens["access_token"]})
    leaving = walk.kept("signed out", await walk.post("/v1/auth/login", right))
    await walk.post("/v1/auth/logout", {"scope": "others"}, by=leaving, status=204)
    await walk.post("/v1/auth/logout", {"refresh_token": leaving.tokens["refresh_token"]}, status=204)


async def recover(walk: Walk, email: str) -> tuple[Client, str]:
    """Forget the password, set one by link and one while signed in; the device, and the password."""
    await walk.post("/v1/auth/forgot-password", {"email": email}, status=202)
    token = walk.canaries.token("reset", await walk.mailed(email, "reset"))
    by_link, last = walk.canaries.password("by link"), walk.canaries.password("last")
    await walk.post("/v1/auth/reset-password", {"token": token, "password": "too short"}, status=422)
    await walk.post("/v1/auth/reset-password", {"token": token, "password": by_link})
    device = walk.kept("recovered", await walk.post("/v1/auth/login", {"email": email, "password": by_link}))
    change = {"password": by_link, "new_password": last}
    await walk.post("/v1/users/me/password", change, by=device, status=204)
    return device, last


async def move(walk: Walk, device: Client, password: str) -> str:
    """Change the address, and meet one that somebody else took meanwhile; the new address."""
    taken, email = walk.canaries.address("taken"), walk.canaries.address("second")
    await walk.post("/v1/users/me/email", {"email": taken, "password": password}, by=device, status=202)
    late = walk.canaries.token("change too late", await walk.mailed(taken, "email"))
    await join(walk, taken, walk.canaries.password("of another"), "another")
    await walk.post("/v1/users/me/email/confirmation", {"token": late}, by=device, status=409)
    await walk.post("/v1/users/me/email", {"email": email, "password": password}, by=device, status=202)
    token = walk.canaries.token("change", await walk.mailed(email, "email"))
    await walk.post("/v1/users/me/email/confirmation", {"token": token}, by=device)
    return email


async def leave(walk: Walk, device: Client, email: str, password: str) -> None:
    """Take one's data away, close the account and open it again."""
    await walk.post("/v1/users/me/exports", None, by=device, status=202)
    token = walk.canaries.token("export", await walk.mailed(email, "export"))
    await walk.post("/v1/users/me/exports/download", {"token": token}, by=device)
    await walk.post("/v1/users/me/closure", {"password": password}, by=device)
    reopened = await device.delete("/v1/users/me/closure", body={"password": password})
    assert reopened.status == 200


async def misplace(walk: Walk, device: Client) -> None:
    """Hold every secret in places where it does not belong; none of these requests does anything."""
    for secret in list(walk.canaries.said.values()):
        where, body = quote(secret, safe=""), {"email": secret, "password": secret}
        for path in (f"?token={where}", f"?{where}=1", f"/{where}", f"/sessions/{where}"):
            assert (await device.get(f"/v1/users/me{path}")).status in {404, 405, 422}, path
        assert (await device.delete(f"/v1/users/me/sessions/{where}")).status in {404, 405}
        for name in ("cookie", "referer", "x-request-id", "x-forwarded-for", "if-match", "idempotency-key", "origin"):
            await device.get("/v1/users/me", headers={name: where})
        for credential in (f"Bearer {where}", f"Basic {where}", where):
            await walk.client.get("/v1/users/me", headers={"authorization": credential})
        await walk.client.get("/v1/users/me", headers={"host": f"{where[:60]}.example.com"})
        for wrong in ([secret], {secret: secret}, secret, 7):
            await walk.client.post("/v1/auth/login", body | {"password": wrong})
            await walk.client.post("/v1/auth/login", wrong)
        for more in ({"unknown": secret}, {secret: 1}):
            assert (await walk.client.post("/v1/auth/forgot-password", {"email": "x@example.com"} | more)).status == 422
        for raw in (secret.encode(), b'{"password": "' + secret.encode("latin-1"), b"\xff" + secret.encode()):
            headers = {"content-type": "application/json"}
            assert (await walk.client.request("POST", "/v1/auth/refresh", data=raw, headers=headers)).status < 500
        await walk.client.request("POST", "/v1/auth/login", data=b"{}", headers={"content-type": where})
        await walk.client.post("/v1/auth/refresh", {"refresh_token": secret})
        await walk.client.post("/v1/auth/verify-email", {"token": secret, "registration": secret})
        await walk.client.post("/v1/auth/reset-password", {"token": secret, "password": secret})


async def fail(walk: Walk, email: str, password: str) -> None:
    """Have requests fail inside, where a trace is logged: on a table that is gone, and on a row that does not fit."""
    login = {"email": email, "password": password}
    await walk.owner("alter table tenantry.guesses rename to gone", "select")
    await walk.post("/v1/auth/login", login, status=500)
    await walk.owner("alter table tenantry.gone rename to guesses", "select")
    await walk.owner("alter table tenantry.registrations add constraint never check (name <> 'Ada King')", "select")
    await walk.post("/v1/auth/register", login | {"name": "Ada King"}, status=500)
    await walk.owner("alter table tenantry.registrations drop constraint never", "select")


async def fail_to_mail(walk: Walk, email: str) -> None:
    """Have jobs fail: nobody is at the door that the mails go to; one job is tried again, one is given up."""
    walk.programs["worker"].tell()
    await walk.programs["worker"].ended(within=20)
    await walk.post("/v1/auth/forgot-password", {"email": email}, status=202)
    # as if it had failed so often that the next time is the last
    await walk.owner("set local role tenantry_system", "update tenantry.jobs set max_attempts = 1", "select")
    await walk.post(
        "/v1/auth/register", {"email": email, "password": "f" * 9 + "Qz 88 lanterns", "name": "A"}, status=202
    )
    post = walk.canaries.token("password of the post office", "smtp-canary-Kq7vXz-0123456789")
    sends = {"TENANTRY_SMTP_URL": f"smtp://house:{post}@127.0.0.1:1", "TENANTRY_MAIL_FROM": "house@example.com"}
    stuck = Program(("worker",), walk.settings | sends, walk.folder / "stuck.log")
    walk.programs["stuck worker"] = stuck
    stuck.start()

    async def failed() -> bool:
        count = "select (select count(*) from tenantry.jobs where error <> ''), count(*) from tenantry.dead_letters"
        return [min(number, 1) for number in (await walk.owner(count))[0]] == [1, 1]

    await eventually(failed, within=20)
    stuck.tell()
    await stuck.ended(within=20)


async def walk_through(walk: Walk) -> None:
    """Everything that a person does, and much that goes wrong."""
    email, password = walk.canaries.address("first"), walk.canaries.password("right")
    await join(walk, email, password, "person")
    await walk.post("/v1/auth/register", {"email": email, "password": password, "name": "Ada"}, status=202)
    await sign_in_and_out(walk, email, password)
    device, password = await recover(walk, email)
    email = await move(walk, device, password)
    await leave(walk, device, email, password)
    await misplace(walk, device)
    await walk.idle()
    await fail(walk, email, password)
    await fail_to_mail(walk, email)


@asynccontextmanager
async def inhabited(folder: Path, url: str, server_log: Path) -> AsyncIterator[Walk]:
    """A house of processes on a migrated database."""
    port, canaries = free_port(), Canaries()
    canaries.token("master key", MASTER_KEYS.rpartition(":")[2].rstrip("="))
    canaries.token("password of the database", urlsplit(url).password or "")
    metrics = canaries.token("metrics token", "metrics-canary-Kq7vXz-0123456789")
    # this machine's own requests are not counted by source, so that limits by address are met and none is in the way
    more = {"TENANTRY_LOG_LEVEL": "debug", "TENANTRY_METRICS_TOKEN": metrics, "TENANTRY_RATE_LIMITS": "remote"}
    settings = environment(url, folder, port, **more, PYTHONASYNCIODEBUG="1")
    programs = {
        "web": Program(("serve", "--port", str(port)), settings, folder / "web.log"),
        "worker": Program(("worker",), settings, folder / "worker.log"),
    }
    async with speaking(settings["TENANTRY_PUBLIC_URL"]) as client:
        walk = Walk(url, folder, client, settings, programs, server_log, canaries)
        try:
            for program in programs.values():
                program.start()
            await asyncio.gather(until_ready(client), programs["worker"].says("worker started"))
            yield walk
        finally:
            for program in programs.values():
                await program.kill()


@pytest.fixture(scope="module")
async def walk(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Walk]:
    """A house after the walk, its web still up and everything logged."""
    folder = tmp_path_factory.mktemp("canaries")
    server = EmbeddedPostgres(folder / "server", durable=False)
    databases = Databases(server.start())
    try:
        await databases.prepare()
        async with databases.fresh() as url, inhabited(folder, url, folder / "server/postgres.log") as walk:
            await walk_through(walk)
            yield walk
        await databases.forget()
    finally:
        server.stop()


@pytest.mark.slow
async def test_no_log_holds_a_secret_or_an_address(walk: Walk) -> None:
    scrape = {"authorization": f"Bearer {walk.canaries.said['metrics token']}"}
    assert (await walk.client.get("/metrics", headers=scrape)).status == 200
    await walk.programs["web"].says('"route":"/metrics"')
    logged = walk.logged()
    for name, sign in {"web": "Traceback", "worker": "job done", "stuck worker": "dead letter"}.items():
        assert sign in logged[name], name
    assert {name: found for name, text in logged.items() if (found := leaks(text, walk.canaries.marks))} == {}


@pytest.mark.slow
async def test_no_metric_holds_a_secret_or_an_address(walk: Walk) -> None:
    scrape = {"authorization": f"Bearer {walk.canaries.said['metrics token']}"}
    text = (await walk.client.get("/metrics", headers=scrape)).body.decode()
    assert 'route="/v1/auth/login"' in text
    assert leaks(text, walk.canaries.marks) == {}


@pytest.mark.slow
async def test_no_row_holds_a_secret_and_addresses_stand_where_they_belong(walk: Walk) -> None:
    written = {column: text async for column, text in walk.written()}
    for column in ("events.payload", "jobs.error", "dead_letters.reason", "credentials.password_hash", "limits.key"):
        assert written[column], column
    secrets = {column: found for column, text in written.items() if (found := leaks(text, walk.canaries.secret()))}
    assert secrets == {}
    assert {column for column, text in written.items() if leaks(text, walk.canaries.addresses())} == MAY_HOLD_ADDRESSES
