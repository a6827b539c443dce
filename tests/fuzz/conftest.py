"""What the fuzzing needs: a house that counts its own answers, people in it, and credentials that are good."""

from __future__ import annotations

import asyncio
import itertools
import os
from collections import Counter
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any, TypeVar

import pytest

from tenantry.accounts.exchanges import CHANGE, EXPORT, RESET, VERIFY
from tenantry.entrypoints.http.arrival import Arrival
from tenantry.entrypoints.http.witness import Witness
from tenantry.foundation.data.ids import SESSION_ID, USER_ID
from tenantry.foundation.domain import Registry
from tenantry.foundation.jobs.job import NewJob
from tenantry.foundation.permission import Role
from tenantry.testing import Client, Databases, Installation, Response, installed
from tenantry.testing.installation import PASSWORD
from tenantry.testing.team import add_member, ask_for

PATIENCE = 20
# a job that waits so long is done by nobody meanwhile
PATIENCE_OF_A_JOB = 1e6
NEW_PASSWORD = "seven lanterns over the harbour"
Answer = TypeVar("Answer")
# which scopes there are, how networks are written and how long a key may live, no schema says
KEY_FACTS = {"scopes": ["members:read"], "addresses": ["192.0.2.0/24"]}
# where webhooks may go, what they can be told, and which headers are not for them to choose, the same; an address by
# its number is vetted without asking anybody
HOOK = {"url": "https://1.1.1.1/hooks"}
HOOK_FACTS = HOOK | {"events": ["member.*"], "headers": {"X-Source": "fuzz"}, "payload_version": "2026-01-02"}


class Tally(Witness):
    """Counts what the house itself says it answered, probes of the checks included."""

    def __init__(self) -> None:
        super().__init__(lines=False)
        self.answers: Counter[tuple[str, str, int]] = Counter()
        self.failures: list[str] = []

    def saw(self, arrival: Arrival, status: int, started: float) -> None:
        self.answers[arrival.method, arrival.route, status] += 1
        if status >= 500:
            self.failures.append(f"{arrival.method} {arrival.route}: {status} {arrival.failure or arrival.problem!r}")
        super().saw(arrival, status, started)


Tokens = dict[str, Any]
Members = dict[str, Any]


def _key_facts(body: Mapping[str, Any]) -> Members:
    ends = {"expires_at": (datetime.now(UTC) + timedelta(days=30)).isoformat()}
    return {name: fact for name, fact in (KEY_FACTS | ends).items() if name in body}


def _hook_facts(body: Mapping[str, Any]) -> Members:
    return {name: fact for name, fact in HOOK_FACTS.items() if name in body}


def _lately(body: Mapping[str, Any]) -> Members:
    now = datetime.now(UTC)
    span = {"since": (now - timedelta(hours=1)).isoformat(), "until": now.isoformat()}
    return {name: moment for name, moment in span.items() if name in body}


class Pocket:
    """What a client brings along, good for one request each: it makes valid input more than well-formed."""

    def __init__(self, house: Installation, person: Client, loop: asyncio.AbstractEventLoop) -> None:
        self._house, self._person, self._loop = house, person, loop
        self._numbers = itertools.count(1)
        self._slug = self._link_token = ""
        self._fitting: dict[str, Callable[[Mapping[str, Any], Tokens], Members]] = {
            "accounts.register": lambda *_: {"email": self._address(), "password": PASSWORD},
            "accounts.verify_email": lambda body, _: self._proofs(body),
            "accounts.resend": lambda *_: {"email": self._person.email},
            "accounts.login": lambda *_: {"email": self._person.email, "password": PASSWORD},
            "accounts.refresh": lambda *_: {"refresh_token": self._sign_in()["refresh_token"]},
            "accounts.logout": lambda *_: {"refresh_token": self._sign_in()["refresh_token"]},
            "accounts.revoke": lambda *_: {"token": self._sign_in()["refresh_token"]},
            "accounts.change_me": lambda body, _: {"timezone": "Europe/London"} if "timezone" in body else {},
            "accounts.forgot_password": lambda *_: {"email": self._person.email},
            "admin.operator_login": lambda *_: {"email": self._operator.email, "password": PASSWORD},
            "admin.disable_any_user": lambda body, _: {"why": "fuzz"} | ({"until": None} if "until" in body else {}),
        }
        # these change who somebody is or what they may do: each request is made by a person of its own
        self._changing: dict[str, Callable[[Mapping[str, Any], Tokens], Members]] = {
            "accounts.reset_password": lambda _, who: {"token": self._reset_token(who), "password": NEW_PASSWORD},
            "accounts.change_password": lambda *_: {"password": PASSWORD, "new_password": NEW_PASSWORD},
            "accounts.ask_address_change": lambda *_: {"email": self._address(), "password": PASSWORD},
            "accounts.confirm_address": lambda _, who: {"token": self._address_token(who)},
            "accounts.close_me": lambda *_: {"password": PASSWORD},
            "accounts.reopen_me": lambda _, who: self._closed(who),
            "accounts.ask_export": lambda *_: {},
            "accounts.take_export": lambda _, who: {"token": self._export_token(who)},
            "orgs.transfer_ownership": lambda *_: {"user_id": self._fellow.user_id},
            "orgs.accept_invite": lambda _, who: {"invite": self._invited(who), "token": None},
            "orgs.change_org": lambda body, _: {"slug": f"fuzz-{next(self._numbers)}"} if "slug" in body else {},
            "orgs.close_org": lambda *_: {"slug": self._slug},
            "api_keys.create_api_key": lambda body, _: {"scopes": KEY_FACTS["scopes"]} | _key_facts(body),
            "api_keys.change_api_key": lambda body, _: _key_facts(body),
            "webhooks.create_endpoint": lambda body, _: HOOK | _hook_facts(body),
            "webhooks.change_endpoint": lambda body, _: _hook_facts(body),
            "webhooks.replay_deliveries": lambda body, _: _lately(body),
            "orgs.reopen_org": lambda *_: {"slug": self._slug},
        }
        # where each happens: an organization of the person's own, or the one that invites them
        self._places: dict[str, Callable[[Tokens], dict[str, str]]] = (
            {
                "accounts.end_session": lambda _: {"session": self._session()},
                "orgs.member": self._beside,
                "orgs.change_role": self._beside,
                "orgs.remove_member": self._beside,
                "orgs.transfer_ownership": self._beside,
                "orgs.leave": lambda who: self._beside(who, role="owner"),
                "orgs.resend_invite": self._with_invite,
                "orgs.revoke_invite": self._with_invite,
                "orgs.decline_invite": lambda who: {"invite": self._invited(who)},
                "orgs.reopen_org": self._closed_org,
                "orgs.events": lambda who: {"org": self._org(who)},
                "orgs.event_stream": lambda who: {"org": self._org(who)},
                "orgs.job": self._with_job,
                "audit.audit_log": lambda who: {"org": self._org(who)},
                "audit.ask_audit_export": lambda who: {"org": self._org(who)},
                "audit.take_audit_export": self._with_audit_link,
                "api_keys.api_keys": lambda who: {"org": self._org(who)},
                "api_keys.create_api_key": lambda who: {"org": self._org(who)},
                "api_keys.api_key": self._with_key,
                "api_keys.change_api_key": self._with_key,
                "api_keys.revoke_api_key": self._with_key,
                "api_keys.rotate_api_key": self._with_key,
                "plans.entitlements": lambda who: {"org": self._org(who)},
                "flags.flags": lambda who: {"org": self._org(who)},
                "usage.usage": lambda who: {"org": self._org(who)},
                "usage.quotas": lambda who: {"org": self._org(who)},
                "usage.report_usage": lambda who: {"org": self._org(who)},
            }
            | {
                f"webhooks.{name}": self._with_endpoint
                for name in (
                    "endpoint",
                    "change_endpoint",
                    "delete_endpoint",
                    "rotate_secret",
                    "try_endpoint",
                    "deliveries",
                    "replay_deliveries",
                )
            }
            | {
                f"admin.{name}": lambda _: {"user": str(self._looked_at["user"]["id"])}
                for name in (
                    "any_user",
                    "any_sessions",
                    "end_any_sessions",
                    "mail_password_reset",
                    "disable_any_user",
                    "enable_any_user",
                )
            }
            | {
                f"admin.{name}": lambda _: {"org": self._org_looked_at}
                for name in ("any_org", "restrict_any_org", "unrestrict_any_org")
            }
            | {f"webhooks.{name}": self._with_delivery for name in ("delivery", "retry_delivery")}
            | {f"webhooks.{name}": lambda who: {"org": self._org(who)} for name in ("endpoints", "create_endpoint")}
            | {
                f"billing.{name}": lambda who: {"org": self._org(who)}
                for name in (
                    "billing",
                    "invoices",
                    "open_checkout",
                    "read_checkout",
                    "open_portal",
                    "preview",
                    "change",
                    "put_seats",
                    "cancel",
                    "resume",
                )
            }
            | {
                f"orgs.{name}": lambda who: {"org": self._org(who)}
                for name in ("org", "change_org", "members", "invites", "invite", "invite_many", "close_org")
            }
        )

    def visitor(self, operation: str) -> Tokens:
        """Tokens of a new device, so that a request that signs out spoils no other; of a new person where need be.

        An operator's for what is theirs.
        """
        if operation.startswith("admin."):
            return dict(self._post("/v1/admin/auth/login", {"email": self._operator.email, "password": PASSWORD}).json)
        alone = operation in self._changing or operation.startswith(
            ("orgs.", "audit.", "plans.", "billing.", "api_keys.", "usage.", "flags.", "webhooks.")
        )
        return self._join() if alone else self._sign_in()

    def fitting(self, operation: str, body: Mapping[str, Any], who: Tokens) -> Members:
        """Members that turn a well-formed body into one that the house has a reason to accept."""
        make = (self._fitting | self._changing).get(operation)
        return make(body, who) if make else {}

    def path(self, operation: str, who: Tokens) -> dict[str, str]:
        """Ids in an operation's path that name something of the person's."""
        place = self._places.get(operation)
        return place(who) if place else {}

    def query(self, operation: str) -> dict[str, str]:
        """What an operation's query needs beside what its path names."""
        return {"token": self._link_token} if operation == "audit.take_audit_export" else {}

    @cached_property
    def _fellow(self) -> Client:
        """Somebody to have beside oneself in an organization."""
        return self._wait(self._house.person("fellow@example.com"))

    @cached_property
    def _operator(self) -> Client:
        """Somebody who runs the house, and whom no request is about."""
        return self._wait(self._house.operator())

    @cached_property
    def _looked_at(self) -> Tokens:
        """Whom operators look at, keep out and let in."""
        return self._join()

    @cached_property
    def _org_looked_at(self) -> str:
        """What they look at and restrict."""
        return self._org(self._join())

    def _session(self) -> str:
        claim = self._house.runtime.refresh.read(self._sign_in()["refresh_token"])
        return SESSION_ID.text(claim.session)

    def _org(self, who: Tokens) -> str:
        founded = self._post("/v1/orgs", {"name": "Fuzz"}, who).json
        self._slug = founded["slug"]
        return str(founded["id"])

    def _closed_org(self, who: Tokens) -> dict[str, str]:
        org = self._org(who)
        self._post(f"/v1/orgs/{org}/closure", {"slug": self._slug}, who)
        return {"org": org}

    def _beside(self, who: Tokens, role: Role = "member") -> dict[str, str]:
        org = self._org(who)
        self._wait(add_member(self._house.runtime, org, self._fellow, role))
        return {"org": org, "user": self._fellow.user_id}

    def _with_invite(self, who: Tokens) -> dict[str, str]:
        org = self._org(who)
        return {"org": org, "invite": self._invite(org, who, self._address())}

    def _with_job(self, who: Tokens) -> dict[str, str]:
        org, person = self._org(who), self._house.client.signed_in(who)
        job = NewJob("fuzz.never", delay=PATIENCE_OF_A_JOB, tracked=True)
        return {"org": org, "job": self._wait(ask_for(self._house.runtime, org, person, job))}

    def _with_key(self, who: Tokens) -> dict[str, str]:
        org = self._org(who)
        body = {"name": "Fuzz", "scopes": ["members:read"]}
        return {"org": org, "key": self._post(f"/v1/orgs/{org}/api-keys", body, who).json["id"]}

    def _with_endpoint(self, who: Tokens) -> dict[str, str]:
        org = self._org(who)
        return {"org": org, "endpoint": self._post(f"/v1/orgs/{org}/webhook-endpoints", HOOK, who).json["id"]}

    def _with_delivery(self, who: Tokens) -> dict[str, str]:
        ids = self._with_endpoint(who)
        path = "/v1/orgs/{org}/webhook-endpoints/{endpoint}".format_map(ids)
        self._post(f"{path}/test", None, who)
        self._wait(self._house.drain_consumers())
        listed = self._wait(self._house.client.signed_in(who).get(f"{path}/deliveries"))
        return ids | {"delivery": listed.json["items"][0]["id"]}

    def _with_audit_link(self, who: Tokens) -> dict[str, str]:
        org = self._org(who)
        link = self._post(f"/v1/orgs/{org}/audit-log/export", {"format": "csv"}, who).json["url"]
        self._link_token = link.partition("token=")[2]
        return {"org": org}

    def _invited(self, who: Tokens) -> str:
        host = self._join()
        return self._invite(self._org(host), host, who["user"]["email"])

    def _invite(self, org: str, host: Tokens, email: str) -> str:
        return str(self._post(f"/v1/orgs/{org}/invites", {"email": email, "role": "member"}, host).json["id"])

    def _sign_in(self) -> Tokens:
        answer = self._post("/v1/auth/login", {"email": self._person.email, "password": PASSWORD})
        assert answer.status == 200, answer
        return dict(answer.json)

    def _join(self) -> Tokens:
        answer = self._post("/v1/auth/verify-email", self._proofs({}))
        assert answer.status == 200, answer
        return dict(answer.json)

    def _address(self) -> str:
        return f"fuzz{next(self._numbers)}@example.com"

    def _proofs(self, body: Mapping[str, Any]) -> Members:
        person = {"email": self._address(), "password": PASSWORD, "name": "Fuzz"}
        proof = self._post("/v1/auth/register", person).json["registration"]
        one_time = self._house.runtime.one_time
        token = one_time.issue(VERIFY, one_time.read(proof), 0)
        shown = {"password": PASSWORD} if body.get("password") is not None else {"registration": proof}
        return {"token": token} | shown

    def _reset_token(self, who: Tokens) -> str:
        self._post("/v1/auth/forgot-password", {"email": who["user"]["email"]})
        return self._token(RESET, "password_resets", who)

    def _address_token(self, who: Tokens) -> str:
        self._post("/v1/users/me/email", {"email": self._address()}, who)
        return self._token(CHANGE, "address_changes", who)

    def _export_token(self, who: Tokens) -> str:
        self._post("/v1/users/me/exports", None, who)
        self._wait(self._house.drain_jobs())
        return self._token(EXPORT, "exports", who)

    def _closed(self, who: Tokens) -> Members:
        self._post("/v1/users/me/closure", {"password": PASSWORD}, who)
        return {"password": PASSWORD}

    def _token(self, purpose: str, table: str, who: Tokens) -> str:
        ids = f"select id from tenantry.{table} where user_id = $1"
        ((row,),) = self._wait(self._house.rows(ids, USER_ID.read(who["user"]["id"])))
        return self._house.runtime.one_time.issue(purpose, row, 0)

    def _post(self, path: str, body: Mapping[str, Any] | None, who: Tokens | None = None) -> Response:
        return self._wait(self._house.client.signed_in(who or {}).post(path, body))

    def _wait(self, asking: Coroutine[Any, Any, Answer]) -> Answer:
        return asyncio.run_coroutine_threadsafe(asking, self._loop).result(PATIENCE)


@pytest.fixture(scope="module")
def seed() -> int:
    """What is drawn is always the same; TENANTRY_TEST_SEED draws something else."""
    return int(os.environ.get("TENANTRY_TEST_SEED", "20260102"))


@pytest.fixture(scope="module")
def tally() -> Tally:
    """Every answer of the house."""
    return Tally()


@pytest.fixture(scope="module")
async def house(
    databases: Databases, registry: Registry, tally: Tally, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Installation]:
    """The installation that is fuzzed, with cheap password hashes."""
    folder = tmp_path_factory.mktemp("fuzzed")
    # a stream is read to its end like every answer
    environ = {"TENANTRY_STREAM_LIFE": "0.1"}
    async with (
        databases.fresh() as url,
        installed(url, folder, registry=registry, environ=environ, witness=tally) as running,
    ):
        yield running
