"""The composition root: settings, domains and plugins become a runtime. The only file that knows every domain."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from tenantry.accounts.domain import domain as accounts
from tenantry.admin.domain import domain as admin
from tenantry.api_keys.domain import domain as api_keys
from tenantry.audit.domain import domain as audit
from tenantry.billing.domain import domain as billing
from tenantry.entrypoints.http.app import build_app
from tenantry.entrypoints.http.gate import Gate
from tenantry.flags.domain import domain as flags
from tenantry.foundation import housekeeping
from tenantry.foundation.data.clock import Clock, FileClock
from tenantry.foundation.data.database import Database
from tenantry.foundation.data.login import LoginGuard
from tenantry.foundation.domain import Registry
from tenantry.foundation.jobs.bell import Bell
from tenantry.foundation.logs import configure_logs, get_logger
from tenantry.foundation.net.egress import faults_of
from tenantry.foundation.net.letters import Letters
from tenantry.foundation.net.mail import Post, sender_of
from tenantry.foundation.net.mailbox import MailboxPost
from tenantry.foundation.net.mailer import Mailer
from tenantry.foundation.net.smtp import SmtpPost
from tenantry.foundation.parent import die_with_parent
from tenantry.foundation.plugins.fitting import enlist
from tenantry.foundation.runtime import Runtime
from tenantry.foundation.security.cursors import Cursors
from tenantry.foundation.security.keyring import KeyRing
from tenantry.foundation.security.keys import BadMasterKeys, MasterKeys, new_master_key
from tenantry.foundation.security.limits import Buckets
from tenantry.foundation.security.onetime import OneTime
from tenantry.foundation.security.passwords import Passwords
from tenantry.foundation.security.rates.house import HouseRates
from tenantry.foundation.security.refresh import Refresh
from tenantry.foundation.security.sealing import Sealer
from tenantry.foundation.security.secret import Secret
from tenantry.foundation.security.visits import OPERATORS, Visits
from tenantry.foundation.stillness import keep_still
from tenantry.orgs.domain import domain as orgs
from tenantry.plans.domain import domain as plans
from tenantry.settings import BadSettings, Reading, Settings, plugins_named, read_settings, variable
from tenantry.usage.domain import domain as usage
from tenantry.webhooks.domain import domain as webhooks

DOMAINS = (accounts, orgs, plans, api_keys, usage, flags, billing, webhooks, audit, admin)


def registry(plugins: Iterable[str] | None = None) -> Registry:
    """Everything that the domains of this installation bring, and the named plugins, or else those of the settings."""
    names = plugins_named() if plugins is None else plugins
    return enlist(DOMAINS, names, jobs=housekeeping, rehearse=_rehearse)


def _rehearse(known: Registry) -> None:
    """Build what a web process builds at its start, connected to nothing, to see whether that fails."""
    settings = Settings(
        environment="development",
        database_url=Secret("postgresql://nobody@localhost/rehearsal"),
        master_keys=new_master_key("rehearsal"),
    )
    sections = {kind: kind() for kind in known.sections}
    runtime = build_runtime(Reading(settings=settings, sections=sections, sources={}, unknown=()), known)
    build_app(runtime, known)
    runtime.passwords.close()


def read(known: Registry) -> Reading:
    """The settings of this process, with its logs set accordingly."""
    reading = read_settings(known.sections)
    configure_logs(level=reading.settings.log_level, form=reading.settings.log_format)
    for name in reading.unknown:
        get_logger("tenantry").warning("unknown setting", name=name)
    for plugin in known.plugins:
        if plugin.state != "ok":
            get_logger("tenantry.plugins").error("plugin not loaded", plugin=plugin.name, state=plugin.state,
                                                 why=plugin.why)  # fmt: skip
    return reading


def equip() -> tuple[Runtime, Registry]:
    """A runtime, and the registry it was built from."""
    known = registry()
    return build_runtime(read(known), known), known


def web() -> Gate:
    """The application of one web process; granian's workers start here."""
    die_with_parent()
    runtime, known = equip()
    app = build_app(runtime, known)
    keep_still()
    return app


def build_runtime(reading: Reading, registry: Registry) -> Runtime:
    """The equipment of a process; nothing is connected yet."""
    settings = reading.settings
    if faults := faults_of(settings.egress_allow, settings.dns_resolver):
        raise BadSettings(faults)
    clock = FileClock(Path(settings.test_clock)) if settings.test_clock else Clock()
    master = _master_keys(settings)
    database = _database(settings, clock)
    sealer = Sealer(master)
    return Runtime(
        settings=settings,
        sections=reading.sections,
        clock=clock,
        database=database,
        sealer=sealer,
        cursors=Cursors(master),
        one_time=OneTime(master),
        refresh=Refresh(master),
        visits=Visits(master, clock),
        operators_visits=Visits(master, clock, OPERATORS),
        buckets=Buckets(master),
        rates=HouseRates(settings, clock),
        keys=KeyRing(database, sealer, issuer=settings.public_url or "tenantry"),
        passwords=Passwords(threads=settings.hash_threads),
        mailer=_mailer(settings, registry, clock),
        bell=Bell(database),
        listeners=registry.listeners(reading.sections),
        fates=registry.fates,
        org_tables=registry.org_tables,
        wraps=registry.wraps,
        plugins=registry.plugins,
        histories=registry.histories,
        events={event.kind: event for event in registry.events},
        consumed=registry.consumed,
        meters={meter.key: meter for meter in registry.meters},
        quotas={quota.limit: quota for quota in registry.quotas},
        permissions=registry.permissions,
        flags=registry.flags,
    )


def _database(settings: Settings, clock: Clock) -> Database:
    return Database(
        _required(settings),
        clock=clock,
        size=settings.database_pool,
        pooler=settings.database_pooler,
        guard=None if settings.development else LoginGuard(),
    )


def _required(settings: Settings) -> str:
    if settings.database_url is None:
        raise BadSettings([f"{variable('database_url')} is needed"])
    return settings.database_url.reveal()


def _master_keys(settings: Settings) -> MasterKeys:
    if settings.master_keys is None:
        raise BadSettings([f"{variable('master_keys')} is needed"])
    try:
        return MasterKeys.parse(settings.master_keys)
    except BadMasterKeys as error:
        raise BadSettings([f"{variable('master_keys')}: {error}"]) from error


def _mailer(settings: Settings, registry: Registry, clock: Clock) -> Mailer:
    # the last domain first: a plugin's own words come before core's
    letters = Letters(tuple(reversed(registry.letters)), product=settings.product_name)
    try:
        sender = sender_of(settings.mail_from or "no-reply@localhost")
    except ValueError as error:
        raise BadSettings([f"{variable('mail_from')}: {error}"]) from error
    return Mailer(letters, _post(settings), sender=sender, clock=clock)


def _post(settings: Settings) -> Post:
    if settings.smtp_url is None:
        return MailboxPost(Path(settings.data) / "mail")
    try:
        return SmtpPost(settings.smtp_url.reveal())
    except ValueError as error:
        raise BadSettings([f"{variable('smtp_url')}: {error}"]) from error
