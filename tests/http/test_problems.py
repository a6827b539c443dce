"""Every refusal is a problem document that helps the client and tells nothing about the inside."""

from __future__ import annotations

import asyncio
import json
from io import StringIO
from typing import Any
from uuid import UUID

import pytest
from misbehaving import CANARY
from raw_http import ask, send

from tenantry.entrypoints.http import endpoint
from tenantry.foundation.data.ids import USER_ID
from tenantry.foundation.problems import every_problem
from tenantry.testing import Client, Installation, Response

STATUSES = {400, 401, 402, 403, 404, 405, 409, 410, 412, 413, 415, 422, 428, 429, 431, 500, 503}


def _lines(logged: StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in logged.getvalue().splitlines()]


def _is_a_problem(answer: Response, status: int, code: str) -> None:
    assert (answer.status, answer.code) == (status, code)
    body = answer.json
    assert body["status"] == status
    assert body["type"] == f"urn:tenantry:problem:{code}"
    assert body["title"]
    assert body["detail"]
    assert body["request_id"] == answer.headers["x-request-id"]


async def test_what_is_not_there_is_a_problem_document(house: Installation) -> None:
    _is_a_problem(await house.client.get("/nothing/here"), 404, "not_found")


async def test_a_wrong_method_is_a_problem_document_that_names_the_right_ones(house: Installation) -> None:
    answer = await house.client.delete("/v1/users/me")
    _is_a_problem(answer, 405, "method_not_allowed")
    assert answer.headers["allow"] == "GET, HEAD, PATCH"


async def test_a_missing_credential_is_a_problem_document_with_a_challenge(house: Installation) -> None:
    answer = await house.client.get("/v1/users/me")
    _is_a_problem(answer, 401, "unauthenticated")
    assert answer.headers["www-authenticate"] == "Bearer"


async def test_a_bad_token_is_told_from_a_missing_one_by_its_challenge(house: Installation) -> None:
    answer = await house.client.get("/v1/users/me", headers={"authorization": "Bearer nonsense"})
    _is_a_problem(answer, 401, "unauthenticated")
    assert answer.headers["www-authenticate"] == 'Bearer error="invalid_token"'


async def test_a_large_body_is_a_problem_document_and_the_last_of_its_connection(house: Installation) -> None:
    answer = await send(
        house.origin,
        b"POST /v1/auth/login HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
        b"Content-Length: 9000000\r\n\r\n{",
    )
    assert (answer.status, answer.json["code"], answer.header("connection")) == (413, "too_large", "close")


async def test_a_strange_media_type_is_a_problem_document(house: Installation) -> None:
    answer = await house.client.request("POST", "/v1/auth/login", data=b"{}", headers={"content-type": "text/plain"})
    _is_a_problem(answer, 415, "unsupported_media_type")


async def test_large_headers_are_a_problem_document(house: Installation) -> None:
    answer = await ask(house.origin, b"GET", b"/livez", b"X-Large: " + b"x" * 40_000)
    assert (answer.status, answer.json["code"]) == (431, "headers_too_large")


@pytest.mark.parametrize("path", ["/v1/trouble/raises", "/v1/trouble/mistaken"])
async def test_an_unexpected_failure_tells_the_client_nothing_and_the_log_once(
    troubled: Installation, logged: StringIO, path: str
) -> None:
    answer = await troubled.client.get(path)
    _is_a_problem(answer, 500, "internal")
    for inside in (CANARY, "RuntimeError", "Traceback", ".py", "asyncpg", "not a number", "select"):
        assert inside not in answer.body.decode()
    (failed,) = [line for line in _lines(logged) if line.get("event") == "failed"]
    assert failed["request_id"] == answer.headers["x-request-id"]
    assert "Traceback" in failed["exception"]


async def test_a_failure_in_a_persons_transaction_rolls_it_back_and_frees_its_connection(
    troubled: Installation,
) -> None:
    ada = await troubled.person()
    for _ in range(20):
        assert (await ada.get("/v1/trouble/mine")).status == 500
    assert troubled.runtime.database.pool.in_use == 0
    assert (await ada.get("/v1/users/me")).status == 200


async def test_secrets_in_a_failure_are_masked_in_the_log(troubled: Installation, logged: StringIO) -> None:
    ada = await troubled.person()
    secret = ada.tokens["refresh_token"]
    assert (await troubled.client.post("/v1/trouble/writes", {"text": secret})).status == 500
    assert CANARY in logged.getvalue()
    assert secret not in logged.getvalue()


async def test_a_statement_that_takes_too_long_is_told_to_come_back(troubled: Installation) -> None:
    answer = await troubled.client.get("/v1/trouble/sleeps")
    _is_a_problem(answer, 503, "overloaded")
    assert int(answer.headers["retry-after"]) >= 1


async def test_a_handler_that_never_comes_back_is_given_up(
    troubled: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(endpoint, "DEADLINE", 0.05)
    answer = await troubled.client.get("/v1/trouble/forever")
    _is_a_problem(answer, 503, "took_too_long")
    assert "retry-after" in answer.headers


async def test_each_refusal_has_a_code_of_its_own_a_known_status_and_a_sentence() -> None:
    problems = list(dict.fromkeys(every_problem()))
    codes = [problem.code for problem in problems]
    assert len(codes) == len(set(codes))
    for problem in problems:
        assert problem.status in STATUSES, problem
        assert problem.sentence().endswith("."), problem
        assert problem.sample().document("x")["code"] == problem.code


async def test_every_request_leaves_one_line_without_path_query_or_body(
    troubled: Installation, logged: StringIO
) -> None:
    ada: Client = await troubled.person("canary@example.com")
    await ada.get("/v1/users/me?canary=1")
    await troubled.client.get("/canary/path")
    await troubled.client.post("/v1/auth/login", {"email": "canary@example.com", "password": "canary password"})
    lines = await _requests(logged, 5)
    assert [(line["route"], line["status"], line["actor"]) for line in lines[-3:]] == [
        ("/v1/users/me", 422, "person"),
        ("-", 404, "-"),
        ("/v1/auth/login", 401, "anonymous"),
    ]
    assert "canary" not in logged.getvalue()
    assert {line["level"] for line in lines} == {"info"}
    assert len({line["request_id"] for line in lines}) == len(lines)


async def test_what_is_said_while_a_request_is_answered_names_it_and_its_actor(
    troubled: Installation, logged: StringIO
) -> None:
    people = [await troubled.person() for _ in range(3)]
    answers = await asyncio.gather(*(person.get("/v1/trouble/talks") for person in people for _ in range(4)))
    said = [line for line in _lines(logged) if line.get("event") == "talked"]
    assert len(said) == 2 * len(answers)
    for answer, person in zip(answers, [person for person in people for _ in range(4)], strict=True):
        of_this = [line for line in said if line["request_id"] == answer.headers["x-request-id"]]
        assert [line["step"] for line in of_this] == ["first", "last"]
        assert {USER_ID.text(UUID(line["actor"]["person"])) for line in of_this} == {person.user_id}


async def _requests(logged: StringIO, count: int) -> list[dict[str, Any]]:
    async with asyncio.timeout(5):
        while True:
            found = [line for line in _lines(logged) if line.get("event") == "request"]
            if len(found) >= count:
                return found
            await asyncio.sleep(0.02)
