"""Reads of notes: one's own, and what others of the organization share."""

from uuid import UUID

from notes.models import Day, Note
from tenantry import Listing, many, value, values

newest_first = many(
    Note,
    """
    select id, text, shared, created_at
      from notes.notes
     where org_id = tenantry.org()
       and (shared or author_id = tenantry.person())
       and (:q::text is null or words @@ websearch_to_tsquery('simple', :q))
       and (:tag::text is null or id in (select note_id from notes.tags where org_id = tenantry.org() and tag = :tag))
       and (created_at, id) < (coalesce(:after_key, 'infinity'::timestamptz),
                               coalesce(:after_id, 'ffffffff-ffff-ffff-ffff-ffffffffffff'::uuid))
     order by created_at desc, id desc
     limit :rows
    """,
)

own = values(
    UUID,
    """
    select id
      from notes.notes
     where org_id = tenantry.org() and author_id = tenantry.person() and id = any (:ids::uuid[])
    """,
)

# the generation that is in force: another one may be built beside it
days = many(
    Day,
    """
    select day, written
      from notes.days
     where org_id = tenantry.org() and generation = tenantry.generation('notes.count_days')
     order by day desc
     limit 366
    """,
)

how_many = value(int, "select count(*) from notes.notes where org_id = tenantry.org()")
notes = Listing("notes.notes", {"-created_at": newest_first})
