"""The deploy files say only what platforms and `tenantry` understand, and the image really runs."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pytest
import yaml

from tenantry.assemble import registry
from tenantry.settings import Settings, read_settings, variable

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
DOCKERFILE = (ROOT / "Dockerfile").read_text("utf-8")
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text("utf-8"))
FLY: dict[str, Any] = tomllib.loads((DEPLOY / "fly.toml").read_text("utf-8"))
RAILWAY: dict[str, Any] = json.loads((DEPLOY / "railway.json").read_text("utf-8"))
RAILWAY_WORKER: dict[str, Any] = json.loads((DEPLOY / "railway.worker.json").read_text("utf-8"))
OURS = {name: service for name, service in COMPOSE["services"].items() if name != "postgres"}
DRAIN = 30


def instructions(stage: str) -> list[tuple[str, str]]:
    """The instructions of a part of the Dockerfile, each on one line."""
    lines = [line for line in stage.splitlines() if line.strip() and not line.startswith("#")]
    joined = "\n".join(lines).replace("\\\n", " ")
    return [(word, rest.strip()) for word, _, rest in (line.partition(" ") for line in joined.splitlines())]


BUILD_STAGE, LAST_STAGE = (instructions(part) for part in re.split(r"^(?=FROM)", DOCKERFILE, flags=re.M)[1:])


def runs(stage: list[tuple[str, str]]) -> str:
    return " && ".join(rest for word, rest in stage if word == "RUN")


def value(stage: list[tuple[str, str]], instruction: str) -> str:
    return next(rest for word, rest in stage if word == instruction)


def railway_command(command: str) -> list[str]:
    words = shlex.split(command)
    assert words[0] == "tenantry", "a command there replaces the entrypoint"
    return words[1:]


COMMANDS = {
    "Dockerfile": json.loads(value(LAST_STAGE, "CMD")),
    **{f"compose {name}": service["command"] for name, service in OURS.items()},
    **{f"fly {name}": shlex.split(command) for name, command in FLY["processes"].items()},
    "fly release": shlex.split(FLY["deploy"]["release_command"]),
    "railway api": railway_command(RAILWAY["deploy"]["startCommand"]),
    "railway release": railway_command(*RAILWAY["deploy"]["preDeployCommand"]),
    "railway worker": railway_command(RAILWAY_WORKER["deploy"]["startCommand"]),
}


@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS.keys())
def test_a_deploy_file_starts_a_command_of_tenantry_with_options_it_has(command: list[str]) -> None:
    # an unknown command or option is refused before --help is answered
    shown = subprocess.run([Path(sys.executable).with_name("tenantry"), *command, "--help"],
                           capture_output=True, text=True, timeout=60, check=False)  # fmt: skip
    assert shown.returncode == 0, shown.stderr


def test_a_deploy_file_names_only_settings_that_exist() -> None:
    own = [path for path in DEPLOY.iterdir() if path.is_file() and path.suffix != ".env"]
    texts = {path.name: path.read_text("utf-8") for path in (ROOT / "Dockerfile", ROOT / "compose.yaml", *own)}
    sections = (Settings, *registry().sections)
    known = {variable(field) for section in sections for field in section.__struct_fields__}
    named = {(file, name) for file, text in texts.items() for name in re.findall(r"\bTENANTRY_\w+", text)}
    assert {pair for pair in named if pair[1] not in known} == set()
    assert {"README.md", "image", "fly.toml", "compose.yaml"} <= {file for file, _ in named}


def test_the_image_runs_as_a_numbered_user_who_has_a_name_and_owns_only_the_data_folder() -> None:
    user = value(LAST_STAGE, "USER")
    assert re.fullmatch(r"[1-9]\d+:[1-9]\d+", user)
    owner = f":{user}:"
    assert owner in runs(LAST_STAGE), "PostgreSQL's tools and others ask for the passwd entry of their user"
    assert "-o 10001 -g 10001 -m 0700 /data" in runs(LAST_STAGE)
    assert all("--chown" not in rest for word, rest in LAST_STAGE if word == "COPY")


def test_the_last_stage_installs_nothing_and_holds_no_compiler() -> None:
    assert not re.search(r"\b(apt|apt-get|pip|uv|gcc|cc|make|curl|wget)\b", runs(LAST_STAGE))
    copies = [rest for word, rest in LAST_STAGE if word == "COPY"]
    assert copies == ["--from=build /opt/tenantry /opt/tenantry"]


def test_the_build_takes_locked_wheels_and_nothing_from_an_address() -> None:
    uses = [use.split() for use in re.findall(r"/pip\b[^&]*", runs(BUILD_STAGE))]
    locked = [{"--require-hashes", "--only-binary=:all:", "--no-deps"} <= set(use) for use in uses]
    offline = [{"--no-index", "--no-deps"} <= set(use) for use in uses]
    assert (locked, offline) == ([True, True, False, False], [False, False, True, True])
    assert "://" not in DOCKERFILE.replace("http://127.0.0.1", "")
    assert "ADD" not in {word for word, _ in (*BUILD_STAGE, *LAST_STAGE)}


def test_both_stages_stand_on_the_base_that_was_asked_for() -> None:
    assert value(BUILD_STAGE, "FROM") == "${BASE} AS build"
    assert value(LAST_STAGE, "FROM") == "${BASE}"
    assert re.search(r"^ARG BASE=python:3\.\d+-slim", DOCKERFILE, flags=re.M)


def test_the_image_stops_by_sigterm_and_is_asked_whether_it_lives() -> None:
    assert value(LAST_STAGE, "STOPSIGNAL") == "SIGTERM"
    assert json.loads(value(LAST_STAGE, "ENTRYPOINT")) == ["tenantry"]
    port = value(LAST_STAGE, "EXPOSE")
    assert f":{port}/livez" in value(LAST_STAGE, "HEALTHCHECK")
    assert json.loads(value(LAST_STAGE, "CMD"))[-1] == port
    assert "VOLUME" not in dict(LAST_STAGE), "Railway refuses a Dockerfile that has one"


def test_only_what_the_build_copies_can_enter_it() -> None:
    ignored = (ROOT / ".dockerignore").read_text("utf-8").splitlines()
    admitted = {line[1:] for line in ignored if line.startswith("!")}
    copied = {name for word, rest in BUILD_STAGE if word == "COPY" for name in rest.split()[:-1]}
    assert admitted == copied
    assert not any(fnmatch(name, pattern) for name in (".env", "deploy/tenantry.env") for pattern in admitted)
    assert all((ROOT / name).exists() for name in admitted)


def test_compose_publishes_the_api_on_loopback_and_never_the_database() -> None:
    services = COMPOSE["services"].items()
    published = {name: service["ports"] for name, service in services if "ports" in service}
    assert published == {"api": ["127.0.0.1:8000:8000"]}


def test_compose_starts_api_and_worker_after_a_finished_migration_of_a_healthy_database() -> None:
    assert OURS["migrate"]["depends_on"] == {"postgres": {"condition": "service_healthy"}}
    assert OURS["migrate"]["restart"] == "no"
    for name in ("api", "worker"):
        assert OURS[name]["depends_on"] == {"migrate": {"condition": "service_completed_successfully"}}


@pytest.mark.parametrize("service", OURS.values(), ids=OURS.keys())
def test_compose_gives_a_container_of_ours_no_more_than_it_needs(service: dict[str, Any]) -> None:
    assert service["read_only"] is True
    assert service["tmpfs"] == ["/tmp"]
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["env_file"] == "deploy/tenantry.env"
    assert seconds(service["stop_grace_period"]) > DRAIN
    assert "test" in service["healthcheck"] or service["healthcheck"] == {"disable": True}


def seconds(text: str) -> int:
    return int(text.removesuffix("s"))


def test_the_secrets_that_the_guide_makes_are_a_production_that_starts(tmp_path: Path) -> None:
    guide = (DEPLOY / "README.md").read_text("utf-8")
    blocks = re.findall(r"```sh\n(.*?)```", guide, flags=re.S)
    block = next(part for part in blocks if "docker compose" in part)
    (tmp_path / "deploy").mkdir()
    commands = block.replace("docker compose", "echo docker compose")
    subprocess.run(["bash", "-euc", commands], cwd=tmp_path, check=True, timeout=30, capture_output=True)
    given, database = (env_file(tmp_path / f"deploy/{name}.env") for name in ("tenantry", "postgres"))
    reading = read_settings(environ=given, dotenv=None)
    assert not reading.settings.development
    assert not reading.unknown
    assert f"tenantry:{database['OWNER_PASSWORD']}@postgres/" in given["TENANTRY_DATABASE_URL"]
    assert "OWNER_PASSWORD" in COMPOSE["configs"]["owner"]["content"]
    assert {path.stat().st_mode & 0o077 for path in (tmp_path / "deploy").iterdir()} == {0}


def env_file(path: Path) -> dict[str, str]:
    return dict(line.split("=", 1) for line in path.read_text("utf-8").splitlines())


def test_fly_routes_to_the_api_alone_and_asks_whether_it_is_ready() -> None:
    service = FLY["http_service"]
    assert service["processes"] == ["api"]
    assert str(service["internal_port"]) in shlex.split(FLY["processes"]["api"])
    assert [check["path"] for check in service["checks"]] == ["/readyz"]
    assert service["force_https"] is True
    named = {*FLY["checks"]["worker"]["processes"], *FLY["metrics"][0]["processes"], *service["processes"]}
    assert named == set(FLY["processes"])


def test_fly_collects_metrics_where_they_are_served() -> None:
    listening = int(FLY["env"]["TENANTRY_OPS_LISTEN"].rpartition(":")[2])
    assert {FLY["metrics"][0]["port"], FLY["checks"]["worker"]["port"]} == {listening}


def test_no_platform_kills_a_process_before_its_drain_is_over() -> None:
    assert FLY["kill_signal"] == "SIGTERM"
    drains = FLY["kill_timeout"], *(file["deploy"]["drainingSeconds"] for file in (RAILWAY, RAILWAY_WORKER))
    # numbers: Railway documents a string here and refuses one
    assert all(isinstance(drain, int) and drain > DRAIN for drain in drains)


def test_railway_builds_the_dockerfile_and_waits_for_a_ready_api() -> None:
    for file in (RAILWAY, RAILWAY_WORKER):
        assert file["build"] == {"builder": "DOCKERFILE", "dockerfilePath": "Dockerfile"}
        assert file["deploy"]["restartPolicyType"] in {"ON_FAILURE", "ALWAYS"}
    assert RAILWAY["deploy"]["healthcheckPath"] == "/readyz"
    assert "preDeployCommand" not in RAILWAY_WORKER["deploy"], "one migration a release"


@pytest.mark.slow
@pytest.mark.timeout(1500)
def test_the_image_is_built_and_takes_the_journey_and_stops_cleanly() -> None:
    command = [DEPLOY / "image", *image_arguments()]
    environment = {**os.environ, "PYTHON": sys.executable}
    # no timeout here: it would kill the script alone, and each of the script's own waits has one
    run = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert run.returncode == 0, f"{run.stdout[-4000:]}\n{run.stderr[-4000:]}"
    assert re.search(r"image +\d+ MB", run.stdout)
    assert "journey done" in run.stdout
    assert run.stdout.count("stopped with 0 after SIGTERM") == 2


def image_arguments() -> list[str]:
    """How the image can be built here; in CI, where it cannot be is a failure."""
    if os.geteuid() == 0 and have_tools("buildah", "debootstrap"):
        return ["--engine", "buildah", "--debootstrap"]
    if shutil.which("docker") and succeeds("docker", "info"):
        return ["--engine", "docker"]
    without = "an image needs Docker, or buildah and debootstrap as root"
    if os.environ.get("CI"):
        pytest.fail(without)
    pytest.skip(without)


def have_tools(*tools: str) -> bool:
    missing = [tool for tool in tools if shutil.which(tool) is None]
    if missing and shutil.which("apt-get") and succeeds("apt-get", "update"):
        succeeds("apt-get", "install", "-y", "--no-install-recommends", *missing)
    return all(shutil.which(tool) for tool in tools)


def succeeds(*command: str) -> bool:
    return subprocess.run(command, capture_output=True, timeout=600, check=False).returncode == 0
