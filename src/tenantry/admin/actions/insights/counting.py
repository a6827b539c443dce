"""Counting: what of an event is measured, and to whom it happened."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import UTC, date
from uuid import UUID

from tenantry.accounts.events import (
    SessionRefreshed,
    SessionStarted,
    SessionUsed,
    UserClosed,
    UserJoined,
    UserPurged,
    UserReopened,
)
from tenantry.foundation.events.event import Event
from tenantry.foundation.events.log import Logged
from tenantry.foundation.events.outside import actor_of
from tenantry.orgs.events import (
    InviteAccepted,
    InviteSent,
    MemberJoined,
    MemberLeft,
    OrgClosed,
    OrgCreated,
    OrgReopened,
)

OF_PEOPLE: Mapping[type[Event], str] = {
    UserJoined: "signups",
    SessionStarted: "logins",
    UserClosed: "users_closed",
    UserReopened: "users_reopened",
    UserPurged: "users_purged",
}
OF_ORGS: Mapping[type[Event], str] = {
    OrgCreated: "orgs_founded",
    OrgClosed: "orgs_closed",
    OrgReopened: "orgs_reopened",
    MemberJoined: "members_joined",
    MemberLeft: "members_left",
    InviteSent: "invites_sent",
    InviteAccepted: "invites_accepted",
}
# whoever signs in is nobody yet, and their next access token is asked for by a token alone
SHOWS_ACTIVITY = (UserJoined, SessionStarted, SessionRefreshed, SessionUsed)
ACTIVE_USERS, ACTIVE_ORGS = "active_users", "active_orgs"
# an API key acts for an organization; whose hand made it was at work only then
ACTS_IN_ORG = frozenset(("person", "api_key"))


class Tally:
    """What was counted, by measure, day and whose it is."""

    def __init__(self) -> None:
        self.people: Counter[tuple[str, date, UUID]] = Counter()
        self.orgs: Counter[tuple[str, date, UUID]] = Counter()

    def count(self, one: Logged) -> None:
        """Count what happened."""
        day = day_of(one)
        for measure, user_id in _of_people(one):
            self.people[measure, day, user_id] += 1
        for measure, org_id in _of_orgs(one):
            self.orgs[measure, day, org_id] += 1

    def forget(self, org_id: UUID) -> None:
        """An organization is purged: nothing of it is left here."""
        self.orgs = Counter({key: times for key, times in self.orgs.items() if key[2] != org_id})


def day_of(one: Logged) -> date:
    """The day on which something happened, in UTC."""
    return one.at.astimezone(UTC).date()


def _of_people(one: Logged) -> Iterator[tuple[str, UUID]]:
    if one.event is not None and type(one.event) in OF_PEOPLE and one.person_id is not None:
        yield OF_PEOPLE[type(one.event)], one.person_id
    if one.org_id is not None:
        # it goes with the organization, and could not be counted once more; who was there has a session that says so
        return
    actor = actor_of(bytes(one.actor).decode())
    if actor.kind == "person" and actor.person is not None:
        yield ACTIVE_USERS, actor.person
    elif isinstance(one.event, SHOWS_ACTIVITY) and one.person_id is not None:
        yield ACTIVE_USERS, one.person_id


def _of_orgs(one: Logged) -> Iterator[tuple[str, UUID]]:
    if one.org_id is None:
        return
    if type(one.event) in OF_ORGS:
        yield OF_ORGS[type(one.event)], one.org_id  # type: ignore[index]
    if actor_of(bytes(one.actor).decode()).kind in ACTS_IN_ORG:
        yield ACTIVE_ORGS, one.org_id
