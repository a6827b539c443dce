"""Settings of billing: off without a key, and refused where they would let anybody speak for Stripe."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tenantry.billing.settings import BillingSettings
from tenantry.settings import BadSettings, read_settings
from tenantry.testing.installation import MASTER_KEYS

PREFIX = "TENANTRY_STRIPE_"
GOOD = {"SECRET_KEY": "sk_test_1", "WEBHOOK_SECRETS": "whsec_0123456789abcdef"}


def _read(**given: str) -> BillingSettings:
    environ = {"TENANTRY_ENVIRONMENT": "development", "TENANTRY_MASTER_KEYS": MASTER_KEYS}
    environ |= {PREFIX + name: text for name, text in given.items()}
    section = read_settings((BillingSettings,), environ=environ, dotenv=None).sections[BillingSettings]
    assert isinstance(section, BillingSettings)
    return section


def test_without_a_key_billing_is_off_and_takes_nothing() -> None:
    assert not _read().on
    assert _read(WEBHOOK_SECRETS=GOOD["WEBHOOK_SECRETS"]).secrets == ()


def test_several_secrets_are_taken_while_one_replaces_another() -> None:
    read = _read(SECRET_KEY="sk_test_1", WEBHOOK_SECRETS="whsec_0123456789abcdef, whsec_fedcba9876543210")
    assert [one.reveal() for one in read.secrets] == [b"whsec_0123456789abcdef", b"whsec_fedcba9876543210"]


@pytest.mark.parametrize(("key", "live"), [("sk_live_1", True), ("rk_live_1", True), ("sk_test_1", False)])
def test_the_key_says_whether_real_money_moves(key: str, live: bool) -> None:
    assert _read(SECRET_KEY=key).live is live


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("WEBHOOK_SECRETS", "whsec_0123456789abcdef,"),
        ("WEBHOOK_SECRETS", ","),
        ("WEBHOOK_SECRETS", " "),
        ("WEBHOOK_SECRETS", "short"),
        ("API_BASE", "http://stripe.example.com"),
        ("API_BASE", "https://user@stripe.example.com"),
        ("API_BASE", "https://stripe.example.com/v1"),
        ("API_BASE", "https://stripe.example.com:70000"),
        ("API_BASE", ""),
        ("SECRET_KEY", "sk_test 1"),
        ("SECRET_KEY", "pk_live_1"),
        ("SECRET_KEY", "whsec_0123456789abcdef"),
        ("SECRET_KEY", "sk_org_live_1"),
        ("SECRET_KEY", "sk_live"),
        ("SECRET_KEY", "sk_test_\N{SNOWMAN}"),
    ],
)
def test_what_cannot_be_used_is_refused_at_the_start_without_its_value(name: str, value: str) -> None:
    with pytest.raises(BadSettings) as refused:
        _read(**GOOD | {name: value})
    [fault] = refused.value.faults
    assert fault.startswith(PREFIX + name)
    assert len(value) < 3 or value not in fault


@pytest.mark.parametrize("secrets", ["whsec_0123456789abcdef,", ",", " "])
def test_an_empty_secret_is_named_as_one(secrets: str) -> None:
    with pytest.raises(BadSettings, match="holds an empty secret"):
        _read(**GOOD | {"WEBHOOK_SECRETS": secrets})


@pytest.mark.parametrize("base", ["http://127.0.0.1:12111", "http://[::1]:80", "https://stripe.example.com/"])
def test_another_address_than_stripes_is_encrypted_or_on_this_machine(base: str) -> None:
    assert _read(API_BASE=base).stripe_api_base == base


def test_whoever_begins_with_the_settings_can_import_them() -> None:
    done = subprocess.run([sys.executable, "-c", "import tenantry.billing.settings"], check=False, timeout=60)
    assert done.returncode == 0
