"""How an organization comes about, and what it is called."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from uuid import UUID

from tenantry.foundation.action import action
from tenantry.foundation.data.ids import new_id
from tenantry.foundation.data.sql import maybe, run, value, values
from tenantry.foundation.permission import ONESELF
from tenantry.foundation.problems import FieldError, VersionMismatch
from tenantry.foundation.question import Question
from tenantry.foundation.work import OrgWork, PersonWork
from tenantry.orgs import queries
from tenantry.orgs.events import MemberJoined, OrgChanged, OrgCreated
from tenantry.orgs.models import MOST_ORGS, RESERVED, SLUG, SLUGS_KEPT, Org, Renamed, slug_of
from tenantry.orgs.permissions import ORG_WRITE
from tenantry.orgs.problems import BadSlug, SlugTaken, TooManyOrgs


def _merged(answers: Sequence[Mapping[UUID, str]]) -> Mapping[UUID, str]:
    return {org: plan for plans in answers for org, plan in plans.items()}


plans_of: Question[[Sequence[UUID]], Mapping[UUID, str]] = Question(
    "plans_of", "Which plan is each of these organizations on?", settle=_merged
)

# one after the other, so that each counts the organizations of those before it
take_turn = run("select from tenantry.users where id = tenantry.person() for no key update")
# a context of an organization that nobody has entered yet: its id was made a moment ago
enter_new = run("select set_config('tenantry.org', :org, true)")

found = maybe(
    Org,
    """
    with named as (
        insert into tenantry.org_slugs (slug, org_id)
        values (:slug, tenantry.org())
            on conflict (slug) do nothing
        returning slug
    ), founded as (
        insert into tenantry.orgs (id, name, slug)
        select tenantry.org(), :name, slug from named
        returning id, name, slug, version, created_at, purge_at, restricted_from
    ), owning as (
        insert into tenantry.members (org_id, user_id, role)
        select id, tenantry.person(), 'owner' from founded
        returning role
    )
    select id, name, slug, version, created_at, purge_at, restricted_from, role from founded cross join owning
    """,
    not_null=("id", "name", "slug", "version", "created_at", "role"),
)


@action(requires=ONESELF, records=(OrgCreated, MemberJoined))
async def create_org(work: PersonWork, *, name: str, slug: str | None) -> Org:
    """Found an organization and own it; without a slug it gets one that is made of its name."""
    await take_turn(work)
    if (await queries.orgs_of_person(work) or 0) >= MOST_ORGS:
        raise TooManyOrgs
    await enter_new(work, org=str(new_id()))
    org = await _founded(work, name, slug)
    work.record(OrgCreated(org_id=org.id, user_id=work.person, name=org.name, slug=org.slug))
    work.record(MemberJoined(org_id=org.id, user_id=work.person, role="owner"))
    return org


async def _founded(work: PersonWork, name: str, slug: str | None) -> Org:
    wanted = (_good(slug),) if slug is not None else _made_of(name)
    for one in wanted:
        if org := await found(work, name=name, slug=one):
            return org
    raise SlugTaken


def _good(slug: str) -> str:
    if not SLUG.fullmatch(slug) or slug in RESERVED:
        raise BadSlug(errors=(FieldError("body.slug", BadSlug.sentence()),))
    return slug


def _made_of(name: str) -> Sequence[str]:
    """Slugs to try: the name's own if it is a good one, then with a tail that nobody else has."""
    plain = slug_of(name)
    tailed = f"{plain[:30].strip('-') or 'org'}-{secrets.token_hex(4)}"
    return (plain, tailed) if SLUG.fullmatch(plain) and plain not in RESERVED else (tailed,)


take_slug = run("""
    insert into tenantry.org_slugs (slug, org_id)
    values (:slug, tenantry.org())
        on conflict (slug) do nothing
""")

# row security shows this organization's slugs only
use_slug = value(
    str,
    """
    update tenantry.org_slugs
       set taken_at = tenantry.now()
     where slug = :slug
       and org_id = tenantry.org()
 returning slug
    """,
)

free_slugs = values(
    str,
    """
    delete from tenantry.org_slugs
     where org_id = tenantry.org()
       and slug in (select slug
                      from tenantry.org_slugs
                     where org_id = tenantry.org()
                     order by taken_at desc, slug
                    offset :most)
 returning slug
    """,
)

change = maybe(
    Renamed,
    """
    update tenantry.orgs
       set name = coalesce(:name, orgs.name),
           slug = coalesce(:slug, orgs.slug),
           version = orgs.version + 1,
           updated_at = tenantry.now()
      from (select name, slug from tenantry.orgs where id = tenantry.org() for no key update) as before
     where id = tenantry.org()
       and orgs.version = coalesce(:version, orgs.version)
 returning id, orgs.name, orgs.slug, orgs.version, created_at, purge_at, restricted_from, :role::text as role,
           before.name as name_was, before.slug as slug_was
    """,
    not_null=("role",),
)


@action(requires=ORG_WRITE, records=OrgChanged)
async def change_org(
    work: OrgWork, *, name: str | None = None, slug: str | None = None, version: int | None = None
) -> Org:
    """Rename an organization; whoever looks for one of its latest slugs still finds it."""
    freed = [] if slug is None else await _rename(work, _good(slug))
    org = await change(work, name=name, slug=slug, version=version, role=work.role)
    if org is None:
        raise VersionMismatch
    fields = tuple(field for field, given in {"name": name, "slug": slug}.items() if given is not None)
    work.record(
        OrgChanged(
            org_id=org.id,
            fields=fields,
            name=org.name,
            slug=org.slug,
            slugs_freed=tuple(sorted(freed)),
            version_after=org.version,
        ),
        was={"name": org.name_was, "slug": org.slug_was},
    )
    return org


async def _rename(work: OrgWork, slug: str) -> list[str]:
    """Take a slug; gives those that are the organization's no more."""
    await take_slug(work, slug=slug)
    if await use_slug(work, slug=slug) is None:
        raise SlugTaken
    return await free_slugs(work, most=SLUGS_KEPT)
