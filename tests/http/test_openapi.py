"""The OpenAPI document is true: valid, complete, and its examples run."""

from __future__ import annotations

from typing import Any

import jsonschema
import pytest
from joserfc import jwk, jwt
from openapi_spec_validator import validate

from tenantry.foundation.problems import every_problem
from tenantry.testing import Client, Installation

PRIVATE = {"d", "p", "q", "dp", "dq", "qi", "oth", "k"}


def _operations(document: dict[str, Any]) -> list[tuple[str, str, dict[str, Any]]]:
    return [
        (method.upper(), path, operation)
        for path, item in document["paths"].items()
        for method, operation in item.items()
    ]


def _check(document: dict[str, Any], schema: dict[str, Any], instance: Any) -> None:
    whole = {"components": document["components"], **schema}
    jsonschema.Draft202012Validator(whole, format_checker=jsonschema.FormatChecker()).validate(instance)


async def test_the_document_is_valid(document: dict[str, Any]) -> None:
    assert document["openapi"].startswith("3.1")
    validate(document)


async def test_it_describes_exactly_the_operations_that_are_served(
    house: Installation, document: dict[str, Any]
) -> None:
    served = {(route.method, route.path) for route in house.registry.routes}
    assert {(method, path) for method, path, _ in _operations(document)} == served


async def test_every_operation_says_what_it_does_and_who_may(document: dict[str, Any]) -> None:
    names = [operation["operationId"] for _, _, operation in _operations(document)]
    assert len(names) == len(set(names))
    for _, _, operation in _operations(document):
        assert operation["summary"].endswith(".")
        assert operation["x-permission"]
        assert operation["tags"]


async def test_what_is_guarded_says_so_and_what_is_public_too(house: Installation, document: dict[str, Any]) -> None:
    for route in house.registry.routes:
        security = document["paths"][route.path][route.method.lower()]["security"]
        if route.public:
            assert security == []
        elif route.of_operators:
            assert security == [{"operator": []}, {"operatorCookie": []}]
        else:
            assert security == [{"bearer": []}, {"cookie": []}]


async def test_every_body_and_answer_has_an_example_that_fits_its_schema(document: dict[str, Any]) -> None:
    for method, path, operation in _operations(document):
        contents = [
            response["content"]["application/json"]
            for response in operation["responses"].values()
            if "application/json" in response.get("content", {})
        ]
        if "requestBody" in operation:
            contents.append(operation["requestBody"]["content"]["application/json"])
        for content in contents:
            assert "example" in content, (method, path)
            _check(document, content["schema"], content["example"])


async def test_every_example_of_a_problem_is_one(document: dict[str, Any]) -> None:
    for _, _, operation in _operations(document):
        for status, response in operation["responses"].items():
            content = response.get("content", {}).get("application/problem+json")
            if content is None:
                continue
            for code, example in content["examples"].items():
                _check(document, content["schema"], example["value"])
                assert (example["value"]["code"], str(example["value"]["status"])) == (code, status)


async def test_every_example_runs_and_is_answered_as_documented(house: Installation, document: dict[str, Any]) -> None:
    for method, path, operation in _operations(document):
        person = await house.person()
        body = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("example")
        answer = await person.request(method, path, body=body)
        documented = operation["responses"].get(str(answer.status))
        assert documented is not None, (method, path, answer)
        if answer.code is not None:
            assert answer.code in documented["content"]["application/problem+json"]["examples"], (method, path, answer)
        elif answer.body:
            _check(document, documented["content"]["application/json"]["schema"], answer.json)


async def test_every_operation_documents_what_may_happen_to_any(house: Installation, document: dict[str, Any]) -> None:
    for route in house.registry.routes:
        statuses = set(document["paths"][route.path][route.method.lower()]["responses"])
        assert {str(route.status), "400", "422", "431", "500", "503"} <= statuses, route.name
        if route.method != "GET":
            assert {"413", "415"} <= statuses, route.name
        if not route.public:
            assert "401" in statuses, route.name
        if route.ids:
            assert "404" in statuses, route.name
        for problem in route.problems:
            assert str(problem.status) in statuses, route.name


async def test_the_codes_of_an_operation_name_what_its_credential_and_the_database_may_lack(
    document: dict[str, Any],
) -> None:
    me = document["paths"]["/v1/users/me"]["get"]["responses"]
    examples = {status: set(me[status]["content"]["application/problem+json"]["examples"]) for status in ("401", "503")}
    assert examples["401"] >= {"unauthenticated", "session_ended"}
    assert examples["503"] >= {"database_unavailable", "database_busy", "overloaded", "took_too_long"}


async def test_every_code_is_listed(document: dict[str, Any]) -> None:
    listed = set(document["components"]["schemas"]["Problem"]["properties"]["code"]["examples"])
    core = {problem.code for problem in every_problem() if problem.__module__.startswith("tenantry.")}
    assert listed >= core


async def test_every_schema_refuses_unknown_fields_where_the_server_does(
    house: Installation, document: dict[str, Any]
) -> None:
    for route in house.registry.routes:
        if route.body is not None:
            assert document["components"]["schemas"][route.body.__name__]["additionalProperties"] is False


async def test_the_answers_of_an_operation_that_has_versions_say_so(document: dict[str, Any]) -> None:
    me = document["paths"]["/v1/users/me"]
    assert "ETag" in me["get"]["responses"]["200"]["headers"]
    assert "304" in me["get"]["responses"]
    assert "412" in me["patch"]["responses"]
    assert "If-Match" in {parameter["name"] for parameter in me["patch"]["parameters"]}
    assert "If-None-Match" in {parameter["name"] for parameter in me["get"].get("parameters", [])}


async def test_the_public_keys_are_public(house: Installation, ada: Client) -> None:
    keys = (await house.client.get("/.well-known/jwks.json")).json["keys"]
    assert keys
    for key in keys:
        assert not PRIVATE & key.keys()
        assert (key["kty"], key["crv"], key["alg"], key["use"]) == ("OKP", "Ed25519", "EdDSA", "sig")


@pytest.mark.filterwarnings("ignore:EdDSA is deprecated")
async def test_anybody_can_check_an_access_token_with_the_public_keys(house: Installation, ada: Client) -> None:
    keys = jwk.KeySet.import_key_set((await house.client.get("/.well-known/jwks.json")).json)
    token = jwt.decode(ada.tokens["access_token"], keys, algorithms=["EdDSA", "Ed25519"])
    assert token.claims["sub"] == ada.user_id
    assert token.header["typ"] == "at+jwt"


async def test_the_page_works_without_the_internet(house: Installation) -> None:
    page = (await house.client.get("/docs")).body.decode()
    for address in [part.partition('"')[0] for part in page.split('src="')[1:] + page.split('href="')[1:]]:
        assert address.startswith("/docs/")
        answer = await house.client.get(address)
        assert (answer.status, len(answer.body) > 50) == (200, True)
    assert "http://" not in page
    assert "https://" not in page
