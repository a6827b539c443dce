"""Who may commit, who may act as the house, and where a transaction can begin: short lists, with reasons."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from rules.source import Module, modules, texts

COMMITS = {
    "tenantry.foundation.data.database": "the one commit, which a Work says as well",
    "tenantry.foundation.data.migrations": "a revision is a transaction",
    "tenantry.foundation.jobs.bell": "a notification is a transaction with nothing else in it",
}
OPENS_TRANSACTIONS = {
    "tenantry.foundation.work": "a Work begins and ends its own",
    "tenantry.foundation.data.database": "the one way to begin",
    "tenantry.foundation.security.keyring": "signing keys are read before any Work can be",
    "tenantry.foundation.readiness": "asks whether a Work would be possible",
    "tenantry.foundation.checkup": "asks for the time, where perhaps no Work is possible",
    "tenantry.foundation.data.watch": "looks on a connection of its own, past the pool that works wait for",
    "tenantry.foundation.data.embedded.server": "none: it begins to watch its server",
    "tenantry.testing.installation": "looks into a test's own database",
    "tenantry.testing.statements.checking": "prepares statements and rolls back",
}
ACTS_AS_THE_HOUSE = {
    "tenantry.foundation.work": "what a rolled back work leaves behind",
    "tenantry.foundation.operating": "an operator looks after everybody, by a role that is asked for first",
    "tenantry.admin.cli.insights": "figures are of everybody together",
    "tenantry.admin.cli.operators": "whoever reaches the machine says who operates it",
    "tenantry.admin.exchanges": "nobody is signed in yet",
    "tenantry.foundation.jobs.run": "a job has no person behind it",
    "tenantry.foundation.jobs.lease": "claims, leases and endings of jobs are the house's own",
    "tenantry.foundation.events.consumer": "a consumer reads what happened to everybody",
    "tenantry.foundation.events.following": "the log is everybody's, and a new consumer's place in it the house's",
    "tenantry.foundation.events.looking": "how far consumers are is asked for all of them",
    "tenantry.entrypoints.cli.events": "an operator steers consumers",
    "tenantry.entrypoints.cli.seed": "the organizations of a large demo are made by nobody",
    "tenantry.foundation.security.turns": "turns are counted before anybody is known",
    "tenantry.foundation.security.rates.of_orgs": "how often organizations may ask is heard of for many at once",
    "tenantry.entrypoints.http.once": "what is kept under a digest is nobody's, and an exchange has no work of its own",
    "tenantry.foundation.forgetting": "an organization that is purged has nobody left who could",
    "tenantry.orgs.jobs.closure": "owners are told whoever of them closed it, and a purge reaches every domain",
    "tenantry.foundation.denials": "who was kept from something may see nothing, and their work is undone",
    "tenantry.audit.jobs": "the chain of seals is one for the whole house, and so is what is too old",
    "tenantry.audit.exchanges.verifying": "the chain of seals is one for the whole house",
    "tenantry.audit.cli": "an operator reads what belongs to anybody",
    "tenantry.billing.cli": "an operator looks after what Stripe told about anybody",
    "tenantry.billing.exchanges.asking": "what Stripe tells is the house's, until it is known whom it is about",
    "tenantry.billing.exchanges.carrying": "what Stripe answered is kept whoever asked, and by a role that may",
    "tenantry.billing.exchanges.checkouts": "what Stripe answered is kept whoever asked, and by a role that may",
    "tenantry.billing.exchanges.closing": "an organization that is closed or purged has nobody left who could",
    "tenantry.billing.exchanges.customers": "as those of checkouts",
    "tenantry.billing.exchanges.doubling": "nobody asked for a second subscription, so nobody is there to end it",
    "tenantry.billing.exchanges.growing": "who was let in is bought a seat for, by no member's hand",
    "tenantry.billing.exchanges.intake": "what Stripe tells is the house's, until it is known whom it is about",
    "tenantry.billing.exchanges.reconciling": "what Stripe has is compared with the rows of every organization",
    "tenantry.billing.exchanges.reporting": "usage is reported whoever's it is",
    "tenantry.billing.exchanges.selling": "what is for sale belongs to no organization, and putting it there is noted",
    "tenantry.billing.jobs.intents": "whoever asked is gone, and it may be any organization's",
    "tenantry.billing.jobs.notices": "the same, and why it could not be applied",
    "tenantry.billing.jobs.mails": "owners are told whoever of them pays, and what Stripe tells belongs to no session",
    "tenantry.api_keys.cli": "an operator looks after anybody's API keys",
    "tenantry.api_keys.jobs": "who left sees nothing any more, and what ended long ago is nobody's present",
    "tenantry.webhooks.cli": "an operator looks after anybody's webhooks",
    "tenantry.webhooks.jobs.mails": "owners and admins are told whoever of them made an endpoint",
    "tenantry.webhooks.jobs.replaying": "what endpoints are told is written by the house alone",
    "tenantry.webhooks.jobs.upkeep": "what is deleted or too old is nobody's present",
    "tenantry.foundation.security.key_use": "the keys that a process met are of many organizations",
    "tenantry.flags.cli.changing": "an operator looks after the flags of the whole house",
    "tenantry.flags.cli.overriding": "the same, and what any organization has instead",
    "tenantry.flags.cli.showing": "the same",
    "tenantry.flags.exchanges.keeping": "how often a flag is asked for is nobody's",
    "tenantry.usage.cli": "an operator looks at what any organization used",
    "tenantry.usage.exchanges": "sums are proved whoever's they are",
    "tenantry.usage.jobs.rollups": "sums are made of every organization's usage at once",
    "tenantry.plans.jobs": "plans end by themselves, whoever has them",
    "tenantry.plans.cli": "an operator looks after the plan of any organization",
    "tenantry.foundation.events.news": "one look at the log finds out for every stream where something is new",
    "tenantry.foundation.housekeeping": "a row of a rate limit is nobody's",
    "tenantry.accounts.exchanges.closure": "a closing ends the person's other sessions and asks every domain",
    "tenantry.accounts.exchanges.exports": "every domain says what it holds about the person who asked",
    "tenantry.accounts.exchanges.addresses": "whether somebody else has an address is known to the house only",
    "tenantry.accounts.exchanges.passwords": "credentials are the house's alone",
    "tenantry.accounts.exchanges.proving": "whose password is tried is not known before it is right",
    "tenantry.accounts.exchanges.registration": "nobody is signed in yet",
    "tenantry.foundation.security.resealing": "what is sealed may be anybody's",
    "tenantry.entrypoints.cli.tokens": "signing keys belong to the house",
    "tenantry.orgs.cli.looking": "an operator looks at anybody's organization",
    "tenantry.orgs.cli.demo": "a demo belongs to nobody who could make it",
    "tenantry.entrypoints.cli.shell": "an operator does what no command does, and each time says why",
    "tenantry.entrypoints.cli.jobs": "an operator looks after everybody's jobs",
    "tenantry.entrypoints.cli.fold": "an operator looks at any organization's past, of one that is closed too",
    "tenantry.accounts.exchanges.revocation": "an operator ends anybody's sessions",
    "tenantry.accounts.exchanges.sessions": "nobody is signed in yet",
    "tenantry.accounts.exchanges.devices": "a token alone may end its session",
    "tenantry.accounts.jobs.devices": "the same, and what has ended belongs to nobody's present",
    "tenantry.accounts.jobs.letters": "whether an address has an account is known to the house only",
    "tenantry.accounts.jobs.recovery": "the same",
    "tenantry.accounts.jobs.registration": "the same",
    "tenantry.orgs.exchanges.invites": "whom an invite is for belongs to no organization yet",
    "tenantry.orgs.jobs.invites": "who sent an invite may have left since, and what expired is nobody's present",
    "tenantry.accounts.cli": "an operator's commands and the demo",
    "tenantry.testing.installation": "a test asks for a job as the house does",
    "tenantry.testing.team": "a test makes members without invites",
    "tenantry.webhooks.sending.statements": "a sender sends to anybody's endpoints",
}
SAYS_COMMIT = re.compile(r"(?:^|;)\s*(?:commit|rollback|prepare transaction)\b\s*(?:;|$)", re.IGNORECASE)
SAYS_ROLE = re.compile(r"\bset\s+(?:local\s+)?(?:role|session\s+authorization)\b", re.IGNORECASE)


def _that(says: re.Pattern[str]) -> set[str]:
    return {
        name
        for name, module in modules().items()
        if not name.startswith("tenantry.migrations.") and any(says.search(text) for _, text in texts(module))
    }


def test_only_the_work_and_what_lies_below_it_commits() -> None:
    assert _that(SAYS_COMMIT) == set(COMMITS)


def test_only_the_database_module_says_whose_rights_a_transaction_has() -> None:
    assert _that(SAYS_ROLE) == {"tenantry.foundation.data.database", "tenantry.testing.installation"}


def test_transactions_are_begun_in_few_places() -> None:
    found = {name for name, module in modules().items() if {"transaction", "begin"} & _methods(module)}
    assert found == set(OPENS_TRANSACTIONS)


def test_only_listed_modules_act_as_the_house() -> None:
    found = {name for name, module in modules().items() if "SystemWork" in _used(module)}
    assert found <= set(ACTS_AS_THE_HOUSE), "say in this list why nothing narrower would do"
    assert set(ACTS_AS_THE_HOUSE) <= found, "take it off the list"


def test_acting_as_the_house_says_why() -> None:
    silent = [
        f"{module.place}:{call.lineno}"
        for module in modules().values()
        for call in _calls(module)
        if _name(call.func) in {"SystemWork", "QueueWork"} and not any(word.arg == "reason" for word in call.keywords)
    ]
    assert not silent


def test_a_verb_opens_no_transaction_and_no_connection() -> None:
    forbidden = {"transaction", "begin", "acquire", "connect", "commit", "rollback"}
    for name, module in modules().items():
        if module.domain and not name.endswith(".cli"):
            assert not forbidden & _methods(module), name


def _calls(module: Module) -> Iterator[ast.Call]:
    yield from (node for node in ast.walk(module.tree) if isinstance(node, ast.Call))


def _name(function: ast.expr) -> str:
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")


def _methods(module: Module) -> set[str]:
    return {call.func.attr for call in _calls(module) if isinstance(call.func, ast.Attribute)}


def _used(module: Module) -> set[str]:
    """Names that are called or derived from, which is what opening a work takes; an annotation is not."""
    derived = (one for node in ast.walk(module.tree) if isinstance(node, ast.ClassDef) for one in node.bases)
    return {_name(call.func) for call in _calls(module)} | {_name(one) for one in derived}
