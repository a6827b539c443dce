"""Memos of persons."""

from alembic import op

revision, down_revision = "0001", None

MEMOS = """
create table memos.memos (
    id      uuid not null constraint memos_key primary key,
    user_id uuid not null constraint memo_of_user references tenantry.users on delete cascade,
    text    text not null,
    constraint memo_once unique (user_id, text)
);
alter table memos.memos enable row level security;
alter table memos.memos force row level security;
create policy oneself on memos.memos to tenantry_app using (user_id = (select tenantry.person()));
create policy house on memos.memos to tenantry_system using (true);
grant select, insert, update, delete on memos.memos to tenantry_app, tenantry_system;
"""


def upgrade() -> None:
    op.execute(MEMOS)
