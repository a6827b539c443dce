"""Schemathesis over every operation of the served document: as nobody and signed in, over real HTTP.

Its engine is used as a library (boundary values and wrong methods for each operation, then random ones, then calls
that follow each other) and what it found is judged here. The whole document is fuzzed, so that a new operation is
covered the day it is served; `Pocket` has to learn how to succeed at it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
import schemathesis
from schemathesis.checks import CHECKS, load_all_checks
from schemathesis.config import SchemathesisConfig
from schemathesis.engine import Status, events, from_schema
from schemathesis.engine.recorder import ScenarioRecorder
from schemathesis.generation.case import Case

from fuzz.conftest import Pocket, Tally
from tenantry.testing import Client, Installation
from tenantry.testing.installation import PASSWORD
from tenantry.usage.models import MOST_REPORTED

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

CASES = 2400
"""Random requests in all, divided among the operations and the two roles; boundary values come on top."""
ROLES = ("nobody", "somebody")
LEFT_OUT = {
    "object_level_authorization": "wants peers with objects of their own; each domain tests its own ids",
}
# what fits the schema may still be refused, for what no schema can say
UNSPEAKABLE = {
    ("admin.insights", "invalid"): "days that are out of range, or not in their order",
    ("accounts.register", "weak_password"): "how hard a password is to guess",
    ("accounts.register", "invalid body.email"): "an address has more rules than its format",
    ("accounts.resend", "invalid body.email"): "the same",
    ("accounts.login", "invalid body.email"): "the same",
    ("accounts.login", "invalid_credentials"): "which credentials exist",
    ("accounts.verify_email", "link_invalid"): "which links exist",
    ("accounts.refresh", "refresh_refused"): "which refresh tokens exist",
    ("accounts.logout", "refresh_refused"): "the same",
    ("accounts.logout", "unauthenticated"): "one of the header and the body names the device",
    ("accounts.logout", "session_ended"): "which devices an earlier request signed out",
    ("accounts.me", "session_ended"): "the same",
    ("accounts.change_me", "session_ended"): "the same",
    ("accounts.sessions", "session_ended"): "the same",
    ("accounts.end_session", "session_ended"): "the same",
    ("accounts.sessions", "bad_cursor"): "which cursors exist",
    ("accounts.end_session", "not_found"): "which devices exist",
    ("accounts.change_me", "invalid body.timezone"): "which time zones exist",
    ("accounts.change_me", "version_mismatch"): "which version is the present one",
    ("accounts.login", "too_many_guesses"): "how often a password was wrong before",
    ("accounts.forgot_password", "invalid body.email"): "an address has more rules than its format",
    ("accounts.reset_password", "link_invalid"): "which links exist",
    ("accounts.change_password", "weak_password"): "how hard a password is to guess",
    ("accounts.change_password", "invalid_credentials"): "which password is the present one",
    ("accounts.ask_address_change", "invalid body.email"): "an address has more rules than its format",
    ("accounts.ask_address_change", "invalid_credentials"): "which password is the present one",
    ("accounts.confirm_address", "link_invalid"): "which links exist",
    ("accounts.close_me", "invalid_credentials"): "which password is the present one",
    ("accounts.reopen_me", "invalid_credentials"): "the same",
    ("accounts.reopen_me", "not_closed"): "whether the account is closed",
    ("accounts.take_export", "link_invalid"): "which links exist",
    ("accounts.register", "link_invalid"): "the same, for invites",
    ("orgs.accept_invite", "link_invalid"): "the same",
    ("orgs.accept_invite", "not_found"): "which invites exist",
    ("orgs.accept_invite", "invalid body"): "one of two members is there",
    ("orgs.switch_org", "not_found"): "which organizations exist",
    ("orgs.change_org", "slug_taken"): "which slugs are taken",
    ("orgs.create_org", "slug_taken"): "the same",
    ("orgs.change_org", "bad_slug"): "which slugs are reserved",
    ("orgs.create_org", "bad_slug"): "the same",
    ("orgs.change_org", "version_mismatch"): "which version is the present one",
    ("orgs.change_role", "version_mismatch"): "the same",
    ("orgs.change_role", "last_owner"): "who the last owner is",
    ("orgs.remove_member", "last_owner"): "the same",
    ("orgs.leave", "last_owner"): "the same",
    ("orgs.close_org", "wrong_slug"): "which slug is the organization's",
    ("orgs.reopen_org", "wrong_slug"): "the same",
    ("orgs.reopen_org", "org_not_closed"): "whether it is closed",
    ("orgs.invite", "invalid body.email"): "an address has more rules than its format",
    ("orgs.invite", "already_member"): "who is a member",
    ("orgs.resend_invite", "invite_settled"): "what became of an invite",
    ("orgs.revoke_invite", "invite_settled"): "the same",
    ("orgs.decline_invite", "invite_settled"): "the same",
    ("orgs.transfer_ownership", "invalid body.user_id"): "an id has a check of its own, and is not one's own",
    ("orgs.members", "bad_cursor"): "which cursors exist",
    ("orgs.invites", "bad_cursor"): "the same",
    ("orgs.offers", "bad_cursor"): "the same",
    ("orgs.orgs", "bad_cursor"): "the same",
    ("orgs.events", "bad_cursor"): "the same",
    ("orgs.event_stream", "bad_cursor"): "the same",
    ("orgs.events", "invalid query.from"): "an offset may lead out of the calendar",
    ("orgs.events", "invalid query.to"): "the same",
    ("audit.audit_log", "bad_cursor"): "which cursors exist",
    ("audit.audit_log", "invalid query.from"): "an offset may lead out of the calendar",
    ("audit.audit_log", "invalid query.to"): "the same",
    ("audit.audit_log", "invalid query.actor"): "an id has a check of its own",
    ("audit.audit_log", "invalid query.target"): "the same",
    ("audit.ask_audit_export", "invalid body.from"): "an offset may lead out of the calendar",
    ("audit.ask_audit_export", "invalid body.to"): "the same",
    ("audit.ask_audit_export", "invalid body.actor"): "an id has a check of its own",
    ("audit.ask_audit_export", "invalid body.target"): "the same",
    ("audit.take_audit_export", "export_gone"): "which links exist",
    ("api_keys.api_keys", "bad_cursor"): "which cursors exist",
    ("api_keys.rotate_api_key", "invalid body.overlap_seconds"): "a whole number is written without a point",
    ("webhooks.endpoints", "bad_cursor"): "which cursors exist",
    ("webhooks.deliveries", "bad_cursor"): "the same",
    ("webhooks.deliveries", "invalid query.from"): "an offset may lead out of the calendar",
    ("webhooks.deliveries", "invalid query.to"): "the same",
    ("webhooks.rotate_secret", "invalid body.overlap_seconds"): "a whole number is written without a point",
    ("webhooks.change_endpoint", "version_mismatch"): "which version is the present one",
    ("usage.usage", "invalid query.meter"): "which meters there are",
    ("usage.usage", "invalid query.from"): "how long ago what was used is still known",
    ("usage.usage", "invalid query.to"): "that it comes after `from`",
    **{
        (
            "usage.report_usage",
            f"invalid body.events[{place}].{field}",
        ): "which meters there are, and since when; the same"
        for place in range(MOST_REPORTED)
        for field in ("meter", "at", "quantity", "key")
    },
    ("api_keys.change_api_key", "version_mismatch"): "which version is the present one",
    ("billing.take_notice", "billing_off"): "whether billing is set up",
    ("billing.open_checkout", "billing_off"): "the same",
    ("billing.open_portal", "billing_off"): "the same",
    ("billing.preview", "billing_off"): "the same",
    ("billing.change", "billing_off"): "the same",
    ("billing.put_seats", "billing_off"): "the same",
    ("billing.cancel", "billing_off"): "the same",
    ("billing.resume", "billing_off"): "the same",
    ("billing.invoices", "bad_cursor"): "which cursors exist",
    ("billing.preview", "invalid body"): "something of it is to be another than it is",
    ("billing.change", "invalid body"): "the same",
    ("billing.put_seats", "invalid body.seats"): "a whole number is written without a point",
    ("billing.change", "invalid body.seats"): "the same",
    ("billing.preview", "invalid body.seats"): "the same",
    ("billing.open_checkout", "invalid body.seats"): "the same",
    ("admin.operator_login", "invalid body.email"): "an address has more rules than its format",
    ("admin.operator_login", "invalid_credentials"): "which credentials exist",
    ("admin.operator_login", "too_many_guesses"): "how often a password was wrong before",
    ("admin.any_users", "bad_cursor"): "which cursors exist",
    ("admin.any_orgs", "bad_cursor"): "the same",
    ("admin.any_sessions", "bad_cursor"): "the same",
    ("admin.disable_any_user", "invalid body.why"): "that it is one line which anybody can read",
    ("admin.disable_any_user", "invalid body.until"): "that it is not over, and in the calendar",
    ("admin.restrict_any_org", "invalid body.restricted_from"): "an offset may lead out of the calendar",
}
ASK_STRIPE = tuple(name for name, code in UNSPEAKABLE if code == "billing_off" and name != "billing.take_notice")
# what no request by hand can succeed at here
OF_MACHINES = {
    "billing.take_notice": "Stripe signs it, and here no secret is set",
    "billing.read_checkout": "nobody has one where nothing is sold",
    "usage.report_usage": "core has no meter that is reported from outside",
    **dict.fromkeys(ASK_STRIPE, "it asks Stripe, and here there is none"),
}
# what may be refused wherever a path names rows: whether they exist, to whom, and what became of them
OF_ROWS = ("not_found", "forbidden", "org_closed", "session_ended")


class Findings(msgspec.Struct):
    """What one run brought."""

    broken: list[str] = []
    refused: set[tuple[str, str]] = set()
    succeeded: set[str] = set()
    ran: set[str] = set()
    requests: int = 0


@pytest.fixture(scope="module")
async def bystanders(house: Installation) -> list[Client]:
    """People whom no request is about; the first is the canary."""
    return [await house.person(f"bystander{number}@example.com") for number in range(3)]


@pytest.fixture(scope="module")
async def somebody(house: Installation) -> Client:
    """Who is signed in."""
    return await house.person("somebody@example.com")


@pytest.fixture(scope="module")
async def before(house: Installation, bystanders: list[Client], somebody: Client) -> dict[str, Any]:
    """Each person's whole row before the first fuzzed request."""
    return await _people(house)


@pytest.fixture(scope="module")
async def ground(before: dict[str, Any], tally: Tally) -> dict[Any, int]:
    """What had been answered by then."""
    return dict(tally.answers)


@pytest.fixture(scope="module")
async def findings(house: Installation, somebody: Client, ground: dict[Any, int], seed: int) -> dict[str, Findings]:
    """Both runs, one after the other."""
    print(f"TENANTRY_TEST_SEED={seed}")
    pocket = Pocket(house, somebody, asyncio.get_running_loop())
    return {
        role: await asyncio.to_thread(_fuzz, house.origin, pocket, seed, signed_in=role == "somebody") for role in ROLES
    }


@pytest.mark.parametrize("role", ROLES)
def test_no_answer_breaks_what_the_document_promises(findings: dict[str, Findings], role: str) -> None:
    assert findings[role].broken == []


@pytest.mark.parametrize("role", ROLES)
def test_what_fits_the_schema_is_refused_only_for_what_no_schema_can_say(
    house: Installation, findings: dict[str, Findings], role: str
) -> None:
    assert findings[role].refused - set(UNSPEAKABLE) - _closed_to(house, role) - _of_rows(house) == set()


def test_every_operation_was_fuzzed_and_succeeded_at_least_once(
    house: Installation, findings: dict[str, Findings]
) -> None:
    served = {route.name for route in house.registry.routes}
    for role in ROLES:
        assert findings[role].ran == served
        assert findings[role].requests > CASES // len(ROLES)
    by_hand = served - OF_MACHINES.keys()
    assert findings["somebody"].succeeded == by_hand
    assert findings["nobody"].succeeded == by_hand & {route.name for route in house.registry.routes if route.public}


def test_nothing_was_answered_with_a_server_error(findings: dict[str, Findings], tally: Tally) -> None:
    assert tally.failures == []


async def test_the_house_is_ready_and_a_person_logs_in_afterwards(
    findings: dict[str, Findings], house: Installation, bystanders: list[Client]
) -> None:
    assert (await house.client.get("/readyz")).status == 200
    canary = bystanders[0]
    # on a slow machine an access token may have outlived itself by now, its session has not
    renewed = await canary.post("/v1/auth/refresh", {"refresh_token": canary.tokens["refresh_token"]})
    assert renewed.status == 200
    assert (await canary.signed_in(renewed.json).get("/v1/users/me")).status == 200
    login = {"email": canary.email, "password": PASSWORD}
    assert (await house.client.post("/v1/auth/login", login)).status == 200
    assert house.runtime.database.pool.in_use == 0


async def test_people_changed_through_successful_answers_only(
    findings: dict[str, Findings],
    house: Installation,
    somebody: Client,
    before: dict[str, Any],
    ground: dict[Any, int],
    tally: Tally,
) -> None:
    after = await _people(house)
    done = {key: count - ground.get(key, 0) for key, count in tally.answers.items()}
    assert {email: row for email, row in after.items() if email in before and email != somebody.email} == {
        email: row for email, row in before.items() if email != somebody.email
    }
    assert len(after) - len(before) == done["POST", "/v1/auth/verify-email", 200]
    known = {email: row for email, row in after.items() if email in before}
    assert _changes(known) - _changes(before) == done["PATCH", "/v1/users/me", 200]
    assert after[somebody.email]["version"] == 1 + done["PATCH", "/v1/users/me", 200]


async def test_the_worker_gets_through_all_that_was_asked_for(
    findings: dict[str, Findings], house: Installation
) -> None:
    await house.drain_jobs()
    assert await house.rows("select kind, error from tenantry.jobs where due or error is not null") == []
    assert await house.rows("select kind from tenantry.dead_letters") == []


def test_each_check_is_made_or_left_out_for_a_reason() -> None:
    load_all_checks()
    made = set(CHECKS.get_all_names()) - set(LEFT_OUT)
    assert {"negative_data_rejection", "ignored_auth", "unsupported_method", "use_after_free"} <= made
    assert set(LEFT_OUT) < set(CHECKS.get_all_names())


async def _people(house: Installation) -> dict[str, Any]:
    rows = await house.rows("select email, to_jsonb(users)::text as whole from tenantry.users order by id")
    return {row["email"]: msgspec.json.decode(row["whole"]) for row in rows}


def _changes(people: dict[str, Any]) -> int:
    return sum(row["version"] - 1 for row in people.values())


def _closed_to(house: Installation, role: str) -> set[tuple[str, str]]:
    of_persons = {route.name for route in house.registry.routes if not route.public} if role == "nobody" else set()
    return {(name, "unauthenticated") for name in of_persons}


def _of_rows(house: Installation) -> set[tuple[str, str]]:
    of_rows = (route for route in house.registry.routes if route.in_org or route.of_operators)
    of_orgs = {route.name for route in of_rows} | {
        route.name for route in house.registry.routes if route.name.startswith("orgs.")
    }
    return {(name, code) for name in of_orgs for code in OF_ROWS}


def _fuzz(origin: str, pocket: Pocket, seed: int, *, signed_in: bool) -> Findings:
    schema = schemathesis.openapi.from_url(f"{origin}/openapi.json", config=_config(origin, seed))
    operations = schema.statistic.operations.total
    schema.config.generation.update(max_examples=max(10, CASES // (operations * len(ROLES))))
    schema.auth.auth(refresh_interval=None)(_credentials(pocket, signed_in=signed_in))
    findings = Findings()
    for event in from_schema(schema).execute():
        if isinstance(event, events.NonFatalError):
            findings.broken.append(f"{event.label}: {event.info.title}: {event.info.message}")
        elif isinstance(event, events.ScenarioFinished):
            _read(event.recorder, findings)
    return findings


def _config(origin: str, seed: int) -> SchemathesisConfig:
    return SchemathesisConfig.from_dict(
        {
            "seed": seed,
            "base-url": origin,
            "workers": 1,
            "continue-on-failure": True,
            "request-timeout": 20,
            "cache": {"enabled": False},
            "generation": {"database": "none"},
            # who may call is decided by `_credentials` alone
            "auth": {"auto-signup": False},
            "checks": {name: {"enabled": False} for name in LEFT_OUT}
            # wider than the default by what UNSPEAKABLE then judges by its code
            | {
                "positive_data_acceptance": {
                    "expected-statuses": ["2xx", "304", "400", "401", "403", "404", "409", "410", "412", "422", "429"]
                },
                # a tag or a link that was never given out is refused before anybody looks at the rest
                "negative_data_rejection": {
                    "expected-statuses": ["400", "401", "403", "404", "405", "410", "412", "415", "422", "428"]
                },
                "missing_required_header": {"expected-statuses": ["400", "401", "403", "404", "415", "422", "428"]},
            },
        }
    )


def _credentials(pocket: Pocket, *, signed_in: bool) -> type:
    class Credentials:
        """A token where one is signed in; and every other valid body gets members that exist."""

        def __init__(self) -> None:
            self._turn = 0

        def get(self, case: Case, _: Any) -> dict[str, Any] | None:
            who = pocket.visitor(_name(case))
            headers = {"Authorization": f"Bearer {who['access_token']}"} if signed_in else {}
            body, path, query = {}, {}, {}
            self._turn += 1
            if self._turn % 2 and _is_valid(case):
                path, query = pocket.path(_name(case), who), pocket.query(_name(case))
                body = pocket.fitting(_name(case), case.body, who) if isinstance(case.body, dict) else {}
                headers |= {"If-Match": "*"} if "If-Match" in case.headers else {}
            given = {"headers": headers, "body": body, "path": path, "query": query}
            return given if any(given.values()) or "Idempotency-Key" in case.headers else None

        def set(self, case: Case, given: dict[str, Any], _: Any) -> None:
            # one key for many requests is refused, rightly, and nobody would look at them
            case.headers.pop("Idempotency-Key", None)
            case.headers.update(given["headers"])
            case.path_parameters.update(given["path"])
            if given["query"]:
                case.query.update(given["query"])
            if given["body"]:
                case.body = {**case.body, **given["body"]}

    return Credentials


def _read(recorder: ScenarioRecorder, findings: Findings) -> None:
    for case, answer in _exchanges(recorder):
        name = _name(case)
        findings.ran.add(name)
        findings.requests += 1
        if 200 <= answer.status_code < 300:
            findings.succeeded.add(name)
        elif _is_valid(case) and answer.status_code != 304:
            findings.refused |= {(name, why) for why in _reasons(answer)}
    for checks in recorder.checks.values():
        for check in checks:
            if check.status is not Status.SUCCESS:
                findings.broken.append(f"{recorder.label}: {check.name}: {_told(check)}")


def _exchanges(recorder: ScenarioRecorder) -> Iterator[tuple[Case, Any]]:
    for key, exchange in recorder.interactions.items():
        # what a check asked besides has a parent and is judged by that check
        if exchange.response is not None and recorder.cases[key].parent_id is None:
            yield recorder.cases[key].value, exchange.response


def _name(case: Case) -> str:
    return str(case.operation.definition.raw["operationId"])


def _is_valid(case: Case) -> bool:
    return bool(case.meta and case.meta.generation.mode.is_positive)


def _reasons(answer: Any) -> Iterator[str]:
    problem = answer.json()
    places = [error["at"] for error in problem.get("errors", ())] if problem["code"] == "invalid" else []
    yield from (f"invalid {place}" for place in places) if places else (problem["code"],)


def _told(check: Any) -> str:
    found = check.failure_info
    return (
        "could not be made" if found is None else f"{found.failure.title} {found.failure.message}\n{found.code_sample}"
    )
