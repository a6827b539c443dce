"""The settings of a process: one frozen object, read once from the environment (or `.env`), each value with its source.

A field is the variable `TENANTRY_<NAME>`; a secret may also come from the file named by `TENANTRY_<NAME>_FILE`.
"""

from __future__ import annotations

import ipaddress
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, Protocol, get_args, get_origin, get_type_hints, runtime_checkable
from urllib.parse import urlsplit

import msgspec
from msgspec import Meta

from tenantry.foundation.security.secret import Secret

PREFIX = "TENANTRY_"
NEEDED = ("database_url", "master_keys", "public_url", "allowed_hosts", "smtp_url", "mail_from")
SHORTEST_TOKEN = 16
"""Characters of the metrics token, at least."""


@runtime_checkable
class SeesToItself(Protocol):
    """A domain's section that says what in it does not fit together, or with what it names."""

    def faults(self) -> list[str]:
        """A sentence for each fault, which names the variable and never its value."""


class BadSettings(Exception):
    """The settings cannot be used; each sentence names the variable, never its value."""

    def __init__(self, faults: list[str]) -> None:
        self.faults = faults
        super().__init__("; ".join(faults))


def says(sentence: str, **limits: Any) -> Meta:
    return Meta(description=sentence, **limits)


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """What an operator can set. Production is the default, and unsafe never is."""

    environment: Annotated[
        Literal["production", "development"],
        says("`development` opens `/dev/*` and relaxes the start checks."),
    ] = "production"
    database_url: Annotated[Secret[str] | None, says("PostgreSQL to use; absent: an embedded one.")] = None
    database_direct_url: Annotated[
        Secret[str] | None,
        says("Past the pooler: listening, migrations, session locks. Default: the database URL."),
    ] = None
    database_pooler: Annotated[
        Literal["none", "transaction"], says("`transaction` behind PgBouncer in transaction mode.")
    ] = "none"
    migration_database_url: Annotated[
        Secret[str] | None, says("An owner apart, used by `tenantry migrate` only. Default: the direct URL.")
    ] = None
    database_pool: Annotated[int, says("Connections a process may hold.", ge=1, le=500)] = 16
    data: Annotated[str, says("Folder of the embedded database and of the development mailbox.")] = ".tenantry"
    public_url: Annotated[
        str | None, says("Origin of this API as the world sees it; links in mails start with it.")
    ] = None
    app_url: Annotated[
        str | None, says("The product's own front end: where our pages lead back to, and may after signing in.")
    ] = None
    product_name: Annotated[str, says("What mails and pages are called.", min_length=1, max_length=80)] = "Tenantry"
    mail_from: Annotated[str | None, says("Sender of mails, as `Name <address>` or an address.")] = None
    smtp_url: Annotated[
        Secret[str] | None, says("Where mails go: `smtp://user:password@host:587` or `smtps://...`.")
    ] = None
    allowed_hosts: Annotated[tuple[str, ...], says("Host names answered to (comma list).")] = ()
    trusted_proxies: Annotated[
        tuple[str, ...],
        says("Networks (CIDR, comma list) whose X-Forwarded-For and X-Request-ID are believed."),
    ] = ()
    cors_origins: Annotated[
        tuple[str, ...], says("Exact origins that browsers may call from (comma list); never `*` or `null`.")
    ] = ()
    master_keys: Annotated[Secret[str] | None, says("`id:base64,...` of 32 bytes each; the first seals, all open.")] = (
        None
    )
    ops_listen: Annotated[str, says("`host:port` of the metrics listener; empty for none.")] = "127.0.0.1:9464"
    metrics_token: Annotated[
        Secret[str] | None, says("Opens `/metrics` on the main port to its bearer; 16 characters or more.")
    ] = None
    plugins: Annotated[tuple[str, ...], says("Plugins to load, by name and in their order (comma list).")] = ()
    egress_allow: Annotated[
        tuple[str, ...],
        says("`ip:port` pairs (comma list) that webhooks may reach although they are not public; for test receivers."),
    ] = ()
    dns_resolver: Annotated[
        str | None, says("`ip:port` of the resolver for URLs that customers set; default: the machine's.")
    ] = None
    log_level: Annotated[Literal["debug", "info", "warning", "error"], says("The least that is logged.")] = "info"
    log_format: Annotated[Literal["json", "console"], says("One JSON object a line, or for the eye.")] = "json"
    test_clock: Annotated[
        str | None, says("A file holding an RFC 3339 instant, re-read while running; development only.")
    ] = None
    rate_limits: Annotated[
        Literal["on", "remote", "off"],
        says("`off` counts no requests, `remote` none of the machine's own by source; both in development only."),
    ] = "on"
    source_rate: Annotated[
        int, says("Requests a minute from one source: an IPv4 address, or the /64 of an IPv6 one.", ge=1, le=10**9)
    ] = 1200
    api_rate: Annotated[
        int,
        says(
            "Requests a minute of a person, of an API key, of an organization where no plan knows `api_per_minute`.",
            ge=1,
            le=10**9,
        ),
    ] = 600
    streams: Annotated[int, says("Event streams open at the same time in a process.", ge=0, le=10_000)] = 200
    stream_heartbeat: Annotated[
        float, says("Seconds between two signs of life of an event stream; it ends by the next one.", gt=0, le=300)
    ] = 15.0
    stream_life: Annotated[
        float, says("Seconds after which an event stream ends, about, for its reader to come back.", gt=0, le=86_400)
    ] = 3600.0
    job_reports_months: Annotated[
        int, says("Whole months for which it can be asked how a job stood that somebody waited for.", ge=1, le=120)
    ] = 3
    dead_letters_months: Annotated[
        int, says("Whole months for which a dead letter can be looked at and put back.", ge=1, le=120)
    ] = 6
    hash_threads: Annotated[
        int, says("Passwords hashed at the same time; 0: as many as there are cores.", ge=0, le=256)
    ] = 0

    @property
    def development(self) -> bool:
        """Whether this is a development environment."""
        return self.environment == "development"

    @property
    def direct_url(self) -> Secret[str] | None:
        """The database past any pooler."""
        return self.database_direct_url or self.database_url


def variable(field: str) -> str:
    """The environment variable of a field."""
    return PREFIX + field.upper()


class Reading(msgspec.Struct, frozen=True):
    """The settings as read: the core's, each domain's section, where each value came from, and what was not known."""

    settings: Settings
    sections: Mapping[type[msgspec.Struct], msgspec.Struct]
    sources: Mapping[str, str]
    unknown: tuple[str, ...]


def read_settings(
    sections: Iterable[type[msgspec.Struct]] = (),
    *,
    environ: Mapping[str, str] | None = None,
    dotenv: Path | None = Path(".env"),
    needed: Sequence[str] | None = None,
) -> Reading:
    """The settings in force, or BadSettings naming every variable that is wrong.

    `needed` narrows what production insists on, for a command that uses little of it.
    """
    found = _given(environ, dotenv)
    faults: list[str] = []
    kinds: list[type[msgspec.Struct]] = [Settings, *sections]
    read = {kind: _fill(kind, found, faults) for kind in kinds}
    settings = read.pop(Settings)
    for section in filter(None, read.values()):
        faults += section.faults() if isinstance(section, SeesToItself) else []
    if not faults and isinstance(settings, Settings):
        faults += _contradictions(settings, NEEDED if needed is None else needed)
    if faults or not isinstance(settings, Settings):
        raise BadSettings(faults)
    known = {variable(field) for kind in kinds for field in kind.__struct_fields__}
    return Reading(
        settings=settings,
        sections={kind: section for kind, section in read.items() if section is not None},
        sources={name: source for name, (_, source) in found.items()},
        unknown=tuple(sorted(name for name in found if not {name, name.removesuffix("_FILE")} & known)),
    )


def variables_given(*, environ: Mapping[str, str] | None = None, dotenv: Path | None = Path(".env")) -> dict[str, str]:
    """Our variables as they are set, empty ones included."""
    return {name: value for name, (value, _) in _given(environ, dotenv).items()}


def plugins_named(*, environ: Mapping[str, str] | None = None, dotenv: Path | None = Path(".env")) -> tuple[str, ...]:
    """The plugins to load, which must be known before the sections of settings that they bring can be read."""
    given: tuple[str, ...] = _convert(
        _raw(variable("plugins"), _given(environ, dotenv)) or "", get_type_hints(Settings)["plugins"]
    )
    return given


def _given(environ: Mapping[str, str] | None, dotenv: Path | None) -> dict[str, tuple[str, str]]:
    """What is set, each value with its source."""
    given = _dotenv(dotenv), dict(os.environ if environ is None else environ)
    return {
        name: (value, source)
        for source, values in zip((".env", "environment"), given, strict=True)
        for name, value in values.items()
        if name.startswith(PREFIX)
    }


def _fill(kind: type[msgspec.Struct], found: Mapping[str, tuple[str, str]], faults: list[str]) -> msgspec.Struct | None:
    values: dict[str, Any] = {}
    before = len(faults)
    for field, annotation in get_type_hints(kind, include_extras=True).items():
        try:
            raw = _raw(variable(field), found)
            # empty is how many tools say "not set"; only text can mean it
            if raw is not None and (raw or _plain(annotation) is str):
                values[field] = _convert(raw, annotation)
        except (ValueError, msgspec.ValidationError) as error:
            faults.append(f"{variable(field)}: {error}")
    return kind(**values) if len(faults) == before else None


def _raw(name: str, found: Mapping[str, tuple[str, str]]) -> str | None:
    plain, file = found.get(name), found.get(name + "_FILE")
    if file is None or (plain and plain[0]):
        return plain[0] if plain else None
    try:
        return Path(file[0]).read_text(encoding="utf-8").strip()
    except OSError as error:
        raise ValueError(f"its file cannot be read ({error.strerror})") from error


def _plain(annotation: Any) -> Any:
    return get_args(annotation)[0] if get_origin(annotation) is Annotated else annotation


def _convert(raw: str, annotation: Any) -> Any:
    plain = _plain(annotation)
    if any(get_origin(option) is Secret for option in (plain, *get_args(plain))):
        return Secret(raw)
    if get_origin(plain) is tuple:
        return tuple(part.strip() for part in raw.split(",") if part.strip())
    try:
        return msgspec.convert(raw, annotation, strict=False)
    except msgspec.ValidationError as error:
        # msgspec repeats the value only for enums: say what is allowed instead
        raise ValueError(_allowed(plain) or str(error)) from error


def _allowed(plain: Any) -> str | None:
    return "must be one of " + ", ".join(get_args(plain)) if get_origin(plain) is Literal else None


def _dotenv(path: Path | None) -> dict[str, str]:
    if path is None or not path.is_file():
        return {}
    lines = (line.strip().removeprefix("export ") for line in path.read_text(encoding="utf-8").splitlines())
    pairs = (line.partition("=") for line in lines if line and not line.startswith("#"))
    return {name.strip(): value.strip().strip("\"'") for name, _, value in pairs}


def _contradictions(settings: Settings, needed: Sequence[str]) -> list[str]:
    checks = (
        _bad_networks,
        _bad_origins,
        _bad_public_url,
        _bad_app_url,
        _bad_hosts,
        _bad_databases,
        _bad_listener,
        _short_token,
    )
    faults = [fault for check in checks for fault in check(settings)]
    if settings.development:
        return faults
    faults += [f"{variable(name)} is needed in production" for name in needed if not getattr(settings, name)]
    if settings.test_clock:
        faults.append(f"{variable('test_clock')} is for development only")
    if settings.rate_limits != "on":
        faults.append(f"{variable('rate_limits')} may be other than on in development only")
    return faults


def _bad_networks(settings: Settings) -> list[str]:
    faults = []
    for network in settings.trusted_proxies:
        try:
            ipaddress.ip_network(network)
        except ValueError:
            faults.append(f"{variable('trusted_proxies')} holds something that is not a network")
    return faults


def _bad_origins(settings: Settings) -> list[str]:
    bad = [origin for origin in settings.cors_origins if not re.fullmatch(r"https?://[^/*\s@?#]+", origin)]
    return [f"{variable('cors_origins')} takes exact origins such as https://app.example.com"] if bad else []


def _bad_public_url(settings: Settings) -> list[str]:
    good = re.fullmatch(r"https?://[^/\s@?#]+/?", settings.public_url or "https://unset")
    return [] if good else [f"{variable('public_url')} takes an origin such as https://api.example.com"]


def _bad_app_url(settings: Settings) -> list[str]:
    good = re.fullmatch(r"https?://[^/\s@?#\"']+(/[^\s\"']*)?", settings.app_url or "https://unset")
    return [] if good else [f"{variable('app_url')} takes an address such as https://app.example.com/home"]


def _bad_hosts(settings: Settings) -> list[str]:
    good = all(re.fullmatch(r"[A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\]", host) for host in settings.allowed_hosts)
    return [] if good else [f"{variable('allowed_hosts')} takes host names without scheme, port or star"]


def _bad_databases(settings: Settings) -> list[str]:
    fields = ("database_url", "database_direct_url", "migration_database_url")
    given = {field: getattr(settings, field) for field in fields}
    return [
        f"{variable(field)} must be a postgresql:// address, its parts percent-encoded"
        for field, url in given.items()
        if url is not None and not _is_database(url.reveal())
    ]


def _is_database(url: str) -> bool:
    try:
        parts = urlsplit(url)
        # asking for the port checks it; a / or # in a password would have cut the address short before it
        return parts.scheme in {"postgresql", "postgres"} and not parts.fragment and (parts.port or 5432) > 0
    except ValueError:
        return False


def _bad_listener(settings: Settings) -> list[str]:
    place = re.fullmatch(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.-]*):([0-9]{1,5})", settings.ops_listen)
    if not settings.ops_listen or (place and int(place.group(2)) < 65536):
        return []
    return [f"{variable('ops_listen')} must be host:port, or empty for none"]


def _short_token(settings: Settings) -> list[str]:
    token = settings.metrics_token
    if token is None or len(token.reveal()) >= SHORTEST_TOKEN:
        return []
    return [f"{variable('metrics_token')} must have at least {SHORTEST_TOKEN} characters"]
