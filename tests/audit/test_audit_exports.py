"""The audit log as a file: by a link for one person, one organization and one use; and nothing in it is obeyed."""

from __future__ import annotations

import csv
import io
import json
from datetime import datetime
from typing import Any
from uuid import UUID

import pytest
from trail_kit import house_call, on_schedule, org_id, user_id

from tenantry.audit import actions, cli, exchanges, queries
from tenantry.audit.exchanges import files
from tenantry.audit.models import MOST_ROWS, Entry, csv_line, jsonl_line, shown
from tenantry.foundation.call import Actor, Call
from tenantry.foundation.command import BadUsage
from tenantry.foundation.data.ids import SESSION_ID, USER_ID
from tenantry.foundation.problems import Forbidden
from tenantry.foundation.work import OrgWork
from tenantry.testing import Client, HandClock, Installation, Response
from tenantry.testing.team import Team


@pytest.fixture
async def team(house: Installation) -> Team:
    """An organization with somebody new in each role."""
    return await house.team()


async def _link(person: Client, team: Team, **asked: Any) -> str:
    answer = await person.post(f"{team.path}/audit-log/export", {"format": "csv"} | asked)
    assert answer.status == 201, answer
    assert answer.json["expires_in"] == 3600
    return str(answer.json["url"]).removeprefix(person.origin)


async def _taken(person: Client, path: str) -> Response:
    answer = await person.get(path)
    assert answer.status == 200, answer
    return answer


async def test_a_csv_has_a_header_and_a_line_an_entry(team: Team) -> None:
    answer = await _taken(team.owner, await _link(team.owner, team))
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.headers["content-disposition"] == f'attachment; filename="audit-log-{team.org}.csv"'
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-content-type-options"] == "nosniff"
    lines = list(csv.DictReader(io.StringIO(answer.body.decode())))
    assert {"orgs:org:created", "orgs:member:joined"} <= {line["action"] for line in lines}
    assert {line["actor_id"] for line in lines} >= {team.owner.user_id}


async def test_jsonl_has_what_the_api_has(team: Team) -> None:
    answer = await _taken(team.owner, await _link(team.owner, team, format="jsonl", action="orgs"))
    assert answer.headers["content-type"] == "application/x-ndjson"
    told = [json.loads(line) for line in answer.body.splitlines()]
    items = (await team.owner.get(f"{team.path}/audit-log?action=orgs&limit=100")).json["items"]
    assert [one["id"] for one in told] == [one["id"] for one in items]
    assert {name: told[0][name] for name in items[0]} == items[0]
    assert all(one["org"] == team.org for one in told)


async def test_a_link_works_once(team: Team) -> None:
    path = await _link(team.owner, team)
    await _taken(team.owner, path)
    assert (await team.owner.get(path)).code == "export_gone"


async def test_a_link_is_for_whoever_asked_and_in_their_organization(team: Team, house: Installation) -> None:
    path = await _link(team.owner, team)
    assert (await team.admin.get(path)).code == "export_gone"
    assert (await team.member.get(path)).code == "forbidden"
    assert (await team.stranger.get(path)).status == 404
    assert (await house.client.get(path)).status == 401
    other = (await team.owner.post("/v1/orgs", {"name": "Other"})).json["id"]
    assert (await team.owner.get(path.replace(team.org, other))).code == "export_gone"
    await _taken(team.owner, path)


@pytest.mark.parametrize("token", ["", "nonsense", "x" * 66, "AZOX1vK0c2i0bG9uZwAAAA." + "a" * 43])
async def test_what_is_no_token_of_ours_leads_nowhere(team: Team, token: str) -> None:
    assert (await team.owner.get(f"{team.path}/audit-log/export?token={token}")).status in {400, 410}


async def test_a_link_ends_after_an_hour_and_its_row_is_removed(clocked: Installation, clock: HandClock) -> None:
    team = await clocked.team()
    path = await _link(team.owner, team)
    clock.advance(minutes=61)
    login = await clocked.client.post(
        "/v1/auth/login", {"email": team.owner.email, "password": "correct horse battery staple"}
    )
    owner = clocked.client.signed_in(login.json)
    assert (await owner.get(path)).code == "export_gone"
    await on_schedule(clocked, "audit.remove_audit_exports")
    assert await clocked.rows("select from tenantry.audit_exports") == []


async def test_a_file_holds_what_there_was_when_it_was_asked_for(team: Team) -> None:
    path = await _link(team.owner, team, format="jsonl")
    await team.owner.patch(team.path, {"name": "Later"})
    told = [json.loads(line) for line in (await _taken(team.owner, path)).body.splitlines()]
    assert "orgs:org:changed" not in {one["action"] for one in told}


async def test_more_than_goes_into_a_file_is_refused_at_once(team: Team, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tenantry.audit.actions.exports.MOST_ROWS", 2)
    answer = await team.owner.post(f"{team.path}/audit-log/export", {"format": "csv"})
    assert (answer.status, answer.code) == (422, "audit_export_too_large")
    await _link(team.owner, team, action="orgs:org:created")


async def test_a_person_has_so_many_links_at_once(team: Team, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tenantry.audit.actions.exports.MOST_LINKS", 2)
    first, _ = [await _link(team.owner, team) for _ in range(2)]
    answer = await team.owner.post(f"{team.path}/audit-log/export", {"format": "csv"})
    assert (answer.status, answer.code) == (429, "too_many_audit_exports")
    await _taken(team.owner, first)
    await _link(team.owner, team)


async def test_pages_of_a_file_follow_each_other_without_a_gap(team: Team, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tenantry.audit.exchanges.files.ROWS_A_PAGE", 2)
    for number in range(7):
        await team.owner.patch(team.path, {"name": f"Acme {number}"})
    answer = await _taken(team.owner, await _link(team.owner, team, format="jsonl"))
    told = [json.loads(line)["id"] for line in answer.body.splitlines()]
    items = (await team.owner.get(f"{team.path}/audit-log?limit=100")).json["items"]
    assert len(told) == len(set(told)) >= 11
    assert set(told) <= {one["id"] for one in items}


HOSTILE = [
    ("=1+1", "'=1+1"),
    ("+1", "'+1"),
    ("-1", "'-1"),
    ("@SUM(A1)", "'@SUM(A1)"),
    ("\t=1", "'\\u0009=1"),
    ("\r=1", "'\\u000d=1"),
    (" =1", "' =1"),
    ("x;=1", "x;'=1"),
    ("x; =1;+2", "x; '=1;'+2"),
    ("Mozilla/5.0 (X11; Linux)", "Mozilla/5.0 (X11; Linux)"),
    ("Ada\r\nEve,1", "Ada\\u000d\\u000aEve,1"),
    ("\x1b[31mred\x1b[0m", "\\u001b[31mred\\u001b[0m"),
    ("\x9b31m", "\\u009b31m"),
    ('a "quoted", name', 'a "quoted", name'),
    ("Zoë 東京", "Zoë 東京"),
]


@pytest.mark.parametrize(("said", "shown_as"), HOSTILE)
def test_no_cell_is_a_formula_and_no_sign_steers_a_terminal(said: str, shown_as: str) -> None:
    entry = Entry(
        id=UUID(int=7), at=datetime.fromisoformat("2026-01-02T03:04:05Z"), org_id=None, action="orgs:org:changed",
        outcome="done", times=1, actor_kind="person", actor_id=UUID(int=8), actor_name=said, on_behalf_of=None,
        target_kind="user", target_id=UUID(int=9), target_name=said, request_id="r", before=None,
        after=json.dumps({"name": said}), whereabouts=json.dumps({"user_agent": said, "address": said}),
        said=None, is_event=True,
    )  # fmt: skip
    line = csv_line(shown(entry)).decode()
    assert line.count("\r\n") == 1
    [cells] = list(csv.reader(io.StringIO(line)))
    assert (cells[7], cells[11], cells[12], cells[13]) == (shown_as,) * 4
    for cut in csv.reader(io.StringIO(line), delimiter=";"):
        assert not [cell for cell in cut if cell.lstrip(' "').startswith(("=", "+", "-", "@"))]
    assert json.loads(jsonl_line(shown(entry)))["user_agent"] == said
    assert b"\x1b" not in jsonl_line(shown(entry))


async def test_asking_and_taking_are_in_the_log(team: Team) -> None:
    await _taken(team.owner, await _link(team.owner, team))
    actions_told = [
        one["action"] for one in (await team.owner.get(f"{team.path}/audit-log?action=audit")).json["items"]
    ]
    assert {"audit:export:asked", "audit:export:taken"} <= set(actions_told)


async def test_operators_list_export_and_verify(house: Installation, team: Team, tmp_path: Any) -> None:
    listed = await cli.show(house_call(house), org=team.org, limit=3)
    assert [one.org for one in listed.entries] == [team.org] * 3
    denied = await cli.show(house_call(house), org=team.org, denied=True)
    assert {one.outcome for one in denied.entries} <= {"denied"}
    file = tmp_path / "log.csv"
    written = await cli.export(house_call(house), file=str(file), org=team.org, form="csv")
    assert file.read_bytes().count(b"\r\n") == written.entries + 1
    with pytest.raises(FileExistsError):
        await cli.export(house_call(house), file=str(file), org=team.org, form="csv")
    assert (await cli.verify(house_call(house))).faults == []
    read = await cli.show(house_call(house), org=team.org, action="audit:log")
    assert {(one.action, one.actor["kind"], one.actor["name"]) for one in read.entries} == {
        ("audit:log:read", "cli", "a test"),
        ("audit:log:exported", "cli", "a test"),
    }


@pytest.mark.parametrize(
    "asked",
    [
        {"org": "acme"},
        {"actor": "ada"},
        {"since": "yesterday"},
        {"since": "0001-01-01T00:00:00+14:00"},
        {"limit": 0},
        {"limit": 1001},
    ],
)
async def test_an_operator_who_mistypes_is_told(house: Installation, asked: dict[str, Any]) -> None:
    with pytest.raises(BadUsage):
        await cli.show(house_call(house), **asked)


async def test_knowing_which_link_there_is_opens_nothing(team: Team) -> None:
    path = await _link(team.owner, team)
    before, _, token = path.partition("token=")
    link, _, mac = token.partition(".")
    forged = f"{link}.{'B' if mac[0] == 'A' else 'A'}{mac[1:]}"
    assert (await team.owner.get(f"{before}token={forged}")).code == "export_gone"
    await _taken(team.owner, path)


async def test_a_file_is_made_for_whoever_may_read_the_log_only(house: Installation, team: Team) -> None:
    claims = await house.runtime.keys.verify(team.member.tokens["access_token"])
    actor = Actor("person", USER_ID.read(claims.sub), SESSION_ID.read(claims.sid))
    call = Call(house.runtime, actor, "a-request-of-a-test").within(org_id(team.org), "member")
    with pytest.raises(Forbidden):
        await exchanges.take_file(call, token="anything")
    with pytest.raises(Forbidden):
        await exchanges.verify_audit(call)


async def test_what_the_house_does_with_the_log_is_not_for_its_owner(house: Installation, team: Team) -> None:
    claims = await house.runtime.keys.verify(team.owner.tokens["access_token"])
    actor = Actor("person", USER_ID.read(claims.sub), SESSION_ID.read(claims.sid))
    call = Call(house.runtime, actor, "a-request-of-a-test")
    for verb, given in (
        (actions.seal_audit, {}),
        (actions.let_audit_go, {"orgs": ()}),
        (actions.remove_old_audit_exports, {}),
    ):
        with pytest.raises(Forbidden):
            async with OrgWork(call, org_id(team.org)) as work:
                await verb(work, **given)  # type: ignore[operator]


FULL = """
    with put as (
        insert into tenantry.audit_log (at, id, org_id, action, actor_kind, actor_id, target_kind, target_id, before,
                                        after, request_id)
        select tenantry.now() - place * interval '1 second', gen_random_uuid(), $1, 'orgs:member:role_changed',
               'person', $2, 'user', $3, '{"role": "member"}', '{"role": "admin"}', 'many'
          from generate_series(1, $4::int) as place
        returning id
    )
    insert into tenantry.details (row_id, about, org_id, salt, named)
    select id, 'actor', $1, 'x', '{"address": "10.0.0.1", "user_agent": "Mozilla/5.0 (X11; Linux x86_64)"}' from put
"""


async def test_as_much_as_goes_into_one_file_is_there_before_the_request_is_over(
    team: Team, house: Installation
) -> None:
    most = MOST_ROWS - 100
    people = user_id(team.owner), user_id(team.member)
    await house.rows(FULL, org_id(team.org), *people, most)
    answer = await _taken(team.owner, await _link(team.owner, team, action="orgs:member:role_changed"))
    assert answer.body.count(b"\r\n") == most + 1


async def test_whoever_may_not_read_the_log_any_more_gets_no_further_page(
    team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "ROWS_A_PAGE", 2)
    read, pages = queries.entries_newest_first, []

    async def slowly(*given: Any, **more: Any) -> list[Entry]:
        pages.append(await read(*given, **more))
        path, match = f"{team.path}/members/{team.admin.user_id}", {"if-match": "*"}
        assert (await team.owner.patch(path, {"role": "member"}, headers=match)).status == 200
        return pages[-1]

    path = await _link(team.admin, team)
    monkeypatch.setattr(queries, "entries_newest_first", slowly)
    answer = await team.admin.get(path)
    assert (answer.status, answer.code, len(pages)) == (403, "forbidden", 1)
