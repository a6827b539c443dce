"""The environment of a development installation: what the caller set wins, the rest is made to work at once."""

from __future__ import annotations

import os
from pathlib import Path

from tenantry.entrypoints.dev.local_stripe import LocalStripe
from tenantry.foundation.security.keys import new_master_key
from tenantry.settings import variables_given

DEMO_PLANS = Path(__file__).parent / "plans.toml"


def development_environment(
    data: Path, *, port: int, database_url: str, stripe: LocalStripe | None = None
) -> dict[str, str]:
    """The variables of the children."""
    own = {
        "TENANTRY_ENVIRONMENT": "development",
        "TENANTRY_DATABASE_URL": database_url,
        "TENANTRY_DATA": str(data),
        "TENANTRY_PUBLIC_URL": f"http://127.0.0.1:{port}",
        "TENANTRY_LOG_FORMAT": "json",
        "TENANTRY_RATE_LIMITS": "remote",
        # several installations side by side must not fight over one port
        "TENANTRY_OPS_LISTEN": "",
    }
    if "TENANTRY_PLAN_FILE" not in variables_given():
        own["TENANTRY_PLAN_FILE"] = str(DEMO_PLANS)
    if stripe is not None:
        own |= stripe.environment
    if not {"TENANTRY_MASTER_KEYS", "TENANTRY_MASTER_KEYS_FILE"} & os.environ.keys():
        own["TENANTRY_MASTER_KEYS_FILE"] = str(_master_keys(data))
    return own | dict(os.environ)


def _master_keys(data: Path) -> Path:
    file = data / "master_keys"
    if not file.exists():
        draft = file.with_suffix(".new")
        draft.touch(0o600)
        draft.write_text(new_master_key("dev").reveal())
        draft.replace(file)
    return file
