"""Settings stop the start when they are wrong, name the variable, and never show the value."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from tenantry.accounts.settings import AccountSettings
from tenantry.foundation.security.secret import Secret
from tenantry.settings import NEEDED, BadSettings, Reading, Settings, read_settings, variable

KEYS = "k1:" + "QUJD" * 10 + "QUI="
COMPLETE = {
    "TENANTRY_DATABASE_URL": "postgresql://login:canary-password@db/tenantry",
    "TENANTRY_MASTER_KEYS": KEYS,
    "TENANTRY_PUBLIC_URL": "https://api.example.com",
    "TENANTRY_ALLOWED_HOSTS": "api.example.com",
    "TENANTRY_SMTP_URL": "smtp://user:canary-password@mail.example.com",
    "TENANTRY_MAIL_FROM": "Tenantry <no-reply@example.com>",
}


def _read(**given: str) -> Reading:
    return read_settings((AccountSettings,), environ=given, dotenv=None)


def _faults(**given: str) -> list[str]:
    with pytest.raises(BadSettings) as bad:
        _read(**given)
    return bad.value.faults


def test_production_is_the_default_and_starts_when_it_is_complete() -> None:
    settings = _read(**COMPLETE).settings
    assert settings.environment == "production"
    assert not settings.development


@pytest.mark.parametrize("name", NEEDED)
def test_production_refuses_to_start_without(name: str) -> None:
    given = {key: text for key, text in COMPLETE.items() if key != variable(name)}
    assert _faults(**given) == [f"{variable(name)} is needed in production"]
    assert _faults(**given, **{variable(name): ""}) == [f"{variable(name)} is needed in production"]


def test_everything_that_is_missing_is_named_at_once() -> None:
    assert {fault.partition(" ")[0] for fault in _faults()} == {variable(name) for name in NEEDED}


def test_production_refuses_the_test_clock() -> None:
    assert _faults(**COMPLETE, TENANTRY_TEST_CLOCK="canary") == ["TENANTRY_TEST_CLOCK is for development only"]


def test_development_needs_nothing() -> None:
    settings = _read(TENANTRY_ENVIRONMENT="development").settings
    assert settings.development
    assert settings.database_url is None


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("ENVIRONMENT", "canary"),
        ("DATABASE_POOLER", "canary"),
        ("DATABASE_POOL", "canary"),
        ("DATABASE_POOL", "0"),
        ("DATABASE_POOL", "99999999"),
        ("LOG_LEVEL", "canary"),
        ("LOG_FORMAT", "canary"),
        ("TRUSTED_PROXIES", "10.0.0.0/8, canary"),
        ("TRUSTED_PROXIES", "10.0.0.1/8"),
        ("CORS_ORIGINS", "*"),
        ("CORS_ORIGINS", "null"),
        ("CORS_ORIGINS", "https://*.canary.example"),
        ("CORS_ORIGINS", "https://app.example.com/canary"),
        ("CORS_ORIGINS", "app.canary.example"),
        ("CORS_ORIGINS", "https://user:canary@app.example.com"),
        ("PUBLIC_URL", "canary.example"),
        ("PUBLIC_URL", "ftp://canary.example"),
        ("PUBLIC_URL", "javascript:canary"),
        ("PUBLIC_URL", "https://canary.example/path?query"),
        ("PUBLIC_URL", "https://user:canary@example.com"),
        ("LINK_VERIFY", "https://app.example.com/canary"),
        ("LINK_VERIFY", "javascript:canary({token})"),
        ("HASH_THREADS", "-1"),
        ("DATABASE_URL", "postgresql://app:canary/et@db/tenantry"),
        ("DATABASE_URL", "postgresql://app:can#ary@db/tenantry"),
        ("MIGRATION_DATABASE_URL", "mysql://app:canary@db/tenantry"),
        ("ALLOWED_HOSTS", "https://canary.example"),
        ("ALLOWED_HOSTS", "*"),
        ("OPS_LISTEN", "127.0.0.1:canary"),
        ("OPS_LISTEN", "127.0.0.1:99999"),
        ("METRICS_TOKEN", "canary-15-chars"),
        ("MASTER_KEYS_FILE", "/nonexistent/canary"),
    ],
)
def test_a_bad_value_is_named_and_not_shown(name: str, text: str) -> None:
    (fault,) = _faults(**{"TENANTRY_ENVIRONMENT": "development"} | {f"TENANTRY_{name}": text})
    assert fault.startswith(f"TENANTRY_{name}".removesuffix("_FILE"))
    assert "canary" not in fault
    assert text not in fault


@pytest.mark.parametrize(
    "text", ["https://api.example.com", "http://127.0.0.1:8000", "https://api.example.com/", "http://[::1]:8000"]
)
def test_a_public_address_is_an_origin(text: str) -> None:
    assert _read(TENANTRY_ENVIRONMENT="development", TENANTRY_PUBLIC_URL=text).settings.public_url == text


def test_what_is_set_to_nothing_is_not_set() -> None:
    nothing = {variable(name): "" for name in Settings.__struct_fields__ if name not in {"product_name", "data"}}
    assert (
        _read(**nothing | {"TENANTRY_ENVIRONMENT": "development", "TENANTRY_LINK_VERIFY": ""}).settings
        == _read(TENANTRY_ENVIRONMENT="development", TENANTRY_OPS_LISTEN="").settings
    )


def test_lists_are_split_at_commas_and_trimmed() -> None:
    settings = _read(**COMPLETE | {"TENANTRY_ALLOWED_HOSTS": " a.example.com ,b.example.com,, "}).settings
    assert settings.allowed_hosts == ("a.example.com", "b.example.com")


def test_no_secret_is_ever_printed() -> None:
    reading = _read(**COMPLETE, TENANTRY_METRICS_TOKEN="canary-token-of-metrics")
    shown = f"{reading} {reading.settings!r} {reading.settings.database_url}"
    assert "canary" not in shown
    assert KEYS not in shown
    assert isinstance(reading.settings.metrics_token, Secret)
    assert reading.settings.metrics_token.reveal() == "canary-token-of-metrics"


def test_a_secret_can_come_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "keys"
    file.write_text(KEYS + "\n")
    given = {key: text for key, text in COMPLETE.items() if key != "TENANTRY_MASTER_KEYS"}
    reading = _read(**given, TENANTRY_MASTER_KEYS_FILE=str(file))
    assert reading.settings.master_keys is not None
    assert reading.settings.master_keys.reveal() == KEYS
    assert reading.unknown == ()


def test_a_file_that_is_no_text_is_named_and_not_shown(tmp_path: Path) -> None:
    file = tmp_path / "keys"
    file.write_bytes(b"\xff\xfecanary")
    (fault,) = _faults(TENANTRY_ENVIRONMENT="development", TENANTRY_MASTER_KEYS_FILE=str(file))
    assert fault.startswith("TENANTRY_MASTER_KEYS")
    assert "canary" not in fault


def test_the_environment_wins_over_the_file_beside_it_and_both_are_told_apart(tmp_path: Path) -> None:
    dotenv = tmp_path / ".env"
    dotenv.write_text('# a remark\nexport TENANTRY_LOG_LEVEL="debug"\nTENANTRY_PRODUCT_NAME=From the file\nOTHER=1\n\n')
    environ = {"TENANTRY_ENVIRONMENT": "development", "TENANTRY_LOG_LEVEL": "error"}
    reading = read_settings((), environ=environ, dotenv=dotenv)
    assert (reading.settings.log_level, reading.settings.product_name) == ("error", "From the file")
    assert reading.sources["TENANTRY_LOG_LEVEL"] == "environment"
    assert reading.sources["TENANTRY_PRODUCT_NAME"] == ".env"


def test_what_is_not_known_is_said() -> None:
    reading = _read(TENANTRY_ENVIRONMENT="development", TENANTRY_TYPO="1", TENANTRY_TYPO_FILE="2", PATH="3")
    assert reading.unknown == ("TENANTRY_TYPO", "TENANTRY_TYPO_FILE")


def test_a_domains_section_is_read_with_the_rest() -> None:
    link = "https://app.example.com/verify?t={token}"
    reading = _read(TENANTRY_ENVIRONMENT="development", TENANTRY_LINK_VERIFY=link)
    section = reading.sections[AccountSettings]
    assert isinstance(section, AccountSettings)
    assert section.link_verify == link
    assert reading.unknown == ()


def test_a_command_that_needs_little_insists_on_little() -> None:
    url = {"TENANTRY_DATABASE_URL": "postgresql://db"}
    assert read_settings((), environ=url, dotenv=None, needed=("database_url",)).settings.database_url
    with pytest.raises(BadSettings):
        read_settings((), environ={}, dotenv=None, needed=("database_url",))


def test_every_setting_says_what_it_means() -> None:

    for field in msgspec.structs.fields(Settings):
        info = msgspec.inspect.type_info(field.type)
        assert "description" in str(info), field.name
