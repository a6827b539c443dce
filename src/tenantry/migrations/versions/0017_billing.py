"""Billing: customers, subscriptions and invoices as Stripe has them, what it tells, and what it is asked to do."""

from alembic import op

revision, down_revision = "0017", "0016"

# Whoever is asked about the same thing by two at once may answer the earlier one later. So each question takes a place
# in one order before it is asked, each notice as it comes, and a row says which question it answers: an answer to an
# earlier one comes too late, and a notice from before the question is answered already.
ORDER = """
create sequence tenantry.stripe_order;
comment on sequence tenantry.stripe_order is 'the order of what Stripe told and of what it was asked';
grant usage on sequence tenantry.stripe_order to tenantry_app, tenantry_system;
"""

CUSTOMERS = """
create table tenantry.stripe_customers (
    org_id      uuid        not null constraint stripe_customers_key primary key
                            constraint customer_is_org references tenantry.orgs on delete cascade,
    customer_id text        not null constraint one_org_per_customer unique,
    livemode    boolean     not null,
    created_at  timestamptz not null default tenantry.now(),
    gone_at     timestamptz,
    ended_at    timestamptz
);
comment on table tenantry.stripe_customers is 'which customer at Stripe each organization is';
comment on column tenantry.stripe_customers.gone_at is 'when it was found to be deleted at Stripe';
comment on column tenantry.stripe_customers.ended_at is 'since when nothing goes on for it, its purge being due';
alter table tenantry.stripe_customers enable row level security;
alter table tenantry.stripe_customers force row level security;
create policy own_org on tenantry.stripe_customers for select to tenantry_app
    using (org_id = (select tenantry.org()));
create policy house on tenantry.stripe_customers to tenantry_system using (true);
grant select on tenantry.stripe_customers to tenantry_app;
grant select, insert, update, delete on tenantry.stripe_customers to tenantry_system;
"""

# What a notice said is needed only until Stripe was asked what is true: it holds names and addresses.
NOTICES = """
create table tenantry.stripe_notices (
    id          text        not null constraint stripe_notices_key primary key,
    number      bigint      not null default nextval('tenantry.stripe_order'),
    type        text        not null,
    api_version text,
    livemode    boolean     not null,
    account     text,
    subject     text        not null,
    subject_id  text        not null,
    customer_id text,
    payload     text,
    received_at timestamptz not null default tenantry.now(),
    state       text        not null default 'waiting'
                            constraint known_notice_state check (state in ('waiting', 'applied', 'orphaned', 'failed')),
    attempts    integer     not null default 0,
    last_error  text,
    handled_at  timestamptz
);
comment on table tenantry.stripe_notices is 'what Stripe told, each event once; swept when Stripe has forgotten it';
comment on column tenantry.stripe_notices.number is 'its place in the order of what was told and asked';
comment on column tenantry.stripe_notices.payload is 'as it came, until it is applied';
comment on column tenantry.stripe_notices.state is 'orphaned: about a customer that no organization is';
create index notices_by_age on tenantry.stripe_notices (received_at, id);
create index notices_of_customer on tenantry.stripe_notices (customer_id) where customer_id is not null;
create index notices_not_applied on tenantry.stripe_notices (state, received_at, id) where state <> 'applied';
alter table tenantry.stripe_notices enable row level security;
alter table tenantry.stripe_notices force row level security;
create policy house on tenantry.stripe_notices to tenantry_system using (true);
grant select, insert, update, delete on tenantry.stripe_notices to tenantry_system;
"""

SUBSCRIPTIONS = """
create table tenantry.subscriptions (
    org_id                uuid        not null
                                      constraint subscription_of_org references tenantry.orgs on delete cascade,
    id                    text        not null constraint one_row_per_subscription unique,
    customer_id           text        not null,
    status                text        not null,
    plan_key              text,
    plan_version          text,
    price_id              text,
    item_id               text,
    quantity              integer     not null,
    period_start          timestamptz,
    period_end            timestamptz,
    trial_end             timestamptz,
    cancel_at             timestamptz,
    cancel_at_period_end  boolean     not null,
    ended_at              timestamptz,
    past_due_since        timestamptz,
    latest_invoice_id     text,
    collection_paused     boolean     not null,
    collection_resumes_at timestamptz,
    created_at            timestamptz not null,
    trial_told_for        timestamptz,
    duplicate_of          text,
    fetched               bigint      not null,
    fetched_at            timestamptz not null default tenantry.now(),
    "interval"            text,
    currency              text,
    unit_amount           bigint,
    schedule_id           text,
    later_price_id        text,
    later_plan            text,
    later_version         text,
    later_interval        text,
    later_quantity        integer,
    later_at              timestamptz,
    constraint subscriptions_key primary key (org_id, id)
);
comment on table tenantry.subscriptions is 'what organizations pay for, as Stripe had it when it was last asked';
comment on column tenantry.subscriptions.status is 'Stripe''s word; what it means is said by one function of ours';
comment on column tenantry.subscriptions.past_due_since is 'when the payment that is missing was due';
comment on column tenantry.subscriptions.trial_told_for is 'the end of trial that was told of ahead';
comment on column tenantry.subscriptions.duplicate_of is 'the older live one that this one doubles';
comment on column tenantry.subscriptions.unit_amount is 'for one seat where it is to seats, in the smallest unit';
comment on column tenantry.subscriptions.schedule_id is 'what Stripe calls the plan of what it becomes later';
comment on column tenantry.subscriptions.later_at is 'when it becomes what is later; none where it stays as it is';
comment on column tenantry.subscriptions.fetched is 'the question that this row answers, in the order of all of them';
create unique index one_live_subscription_per_org on tenantry.subscriptions (org_id)
    where status not in ('incomplete', 'incomplete_expired', 'canceled') and duplicate_of is null;
create index subscriptions_by_status on tenantry.subscriptions (status, org_id)
    where status not in ('canceled', 'incomplete_expired');
alter table tenantry.subscriptions enable row level security;
alter table tenantry.subscriptions force row level security;
create policy own_org on tenantry.subscriptions for select to tenantry_app using (org_id = (select tenantry.org()));
create policy house on tenantry.subscriptions to tenantry_system using (true);
grant select on tenantry.subscriptions to tenantry_app;
grant select, insert, update, delete on tenantry.subscriptions to tenantry_system;
"""

INVOICES = """
create table tenantry.invoices (
    org_id           uuid        not null constraint invoice_of_org references tenantry.orgs on delete cascade,
    id               text        not null constraint one_row_per_invoice unique,
    customer_id      text        not null,
    subscription_id  text,
    number           text,
    status           text        not null,
    currency         text        not null,
    total            bigint      not null,
    amount_due       bigint      not null,
    amount_paid      bigint      not null,
    amount_remaining bigint      not null,
    attempts         integer     not null,
    next_attempt_at  timestamptz,
    hosted_url       text,
    pdf_url          text,
    due_at           timestamptz,
    paid_at          timestamptz,
    created_at       timestamptz not null,
    refunded         bigint      not null,
    disputed         boolean     not null,
    fetched          bigint      not null,
    paid_with        bigint      not null,
    fetched_at       timestamptz not null default tenantry.now(),
    constraint invoices_key primary key (org_id, id)
);
comment on table tenantry.invoices is 'invoices as Stripe had them; amounts in the currency''s smallest unit';
comment on column tenantry.invoices.fetched is 'the question that this row answers, in the order of all of them';
comment on column tenantry.invoices.paid_with is 'the question that what is refunded and disputed answers; 0 for none';
create index invoices_by_age on tenantry.invoices (org_id, created_at, id);
alter table tenantry.invoices enable row level security;
alter table tenantry.invoices force row level security;
create policy own_org on tenantry.invoices for select to tenantry_app using (org_id = (select tenantry.org()));
create policy house on tenantry.invoices to tenantry_system using (true);
grant select on tenantry.invoices to tenantry_app;
grant select, insert, update, delete on tenantry.invoices to tenantry_system;
"""

# The key is there before Stripe is asked, so that whoever asks again after a death asks for the same.
INTENTS = """
create table tenantry.billing_intents (
    org_id     uuid        not null constraint intent_of_org references tenantry.orgs on delete cascade,
    id         uuid        not null,
    kind       text        not null constraint known_intent_kind check
                           (kind in ('customer', 'checkout', 'change', 'later', 'stay', 'cancel', 'resume')),
    attempt    integer     not null default 1,
    params     jsonb       not null,
    state      text        not null default 'asked' constraint known_intent_state
                           check (state in ('asked', 'open', 'done', 'refused', 'expired')),
    foreign_id text,
    url        text,
    why        text,
    asked      bigint      not null default nextval('tenantry.stripe_order'),
    created_at timestamptz not null default tenantry.now(),
    asked_at   timestamptz not null default tenantry.now(),
    expires_at timestamptz,
    settled_at timestamptz,
    constraint billing_intents_key primary key (org_id, id)
);
comment on table tenantry.billing_intents is 'what Stripe is asked to do for an organization, kept before it is asked';
comment on column tenantry.billing_intents.asked is 'the last attempt''s place in the order of questions';
comment on column tenantry.billing_intents.url is 'the page at Stripe where it goes on';
comment on column tenantry.billing_intents.why is 'what Stripe refused it with';
comment on column tenantry.billing_intents.state is 'asked: no answer is known yet; open: answered, and others act now';
comment on column tenantry.billing_intents.foreign_id is 'what Stripe made, by its id there';
create unique index one_open_checkout_per_org on tenantry.billing_intents (org_id)
    where kind = 'checkout' and state in ('asked', 'open');
create unique index one_new_customer_per_org on tenantry.billing_intents (org_id)
    where kind = 'customer' and state = 'asked';
create unique index one_change_at_a_time on tenantry.billing_intents (org_id)
    where kind not in ('customer', 'checkout') and state = 'asked';
create unique index one_intent_per_thing on tenantry.billing_intents (foreign_id) where foreign_id is not null;
create index intents_unsettled on tenantry.billing_intents (asked_at) where state in ('asked', 'open');
alter table tenantry.billing_intents enable row level security;
alter table tenantry.billing_intents force row level security;
create policy own_org on tenantry.billing_intents to tenantry_app
    using (org_id = (select tenantry.org())) with check (org_id = (select tenantry.org()));
create policy house on tenantry.billing_intents to tenantry_system using (true);
grant select, insert (org_id, id, kind, params) on tenantry.billing_intents to tenantry_app;
grant select, insert, update, delete on tenantry.billing_intents to tenantry_system;
"""

RECONCILING = """
create table tenantry.stripe_reconciling (
    singular    boolean     not null default true constraint stripe_reconciling_key primary key
                            constraint one_row check (singular),
    heard_until timestamptz not null,
    compared_at timestamptz not null default tenantry.now(),
    looked      bigint      not null,
    differed    bigint      not null,
    lost        bigint      not null
);
comment on table tenantry.stripe_reconciling is 'how our rows compared with Stripe''s the last time';
comment on column tenantry.stripe_reconciling.heard_until is 'when that began: what was told before has been heard';
alter table tenantry.stripe_reconciling enable row level security;
alter table tenantry.stripe_reconciling force row level security;
create policy house on tenantry.stripe_reconciling to tenantry_system using (true);
grant select, insert, update on tenantry.stripe_reconciling to tenantry_system;
"""


def upgrade() -> None:
    for part in (ORDER, CUSTOMERS, NOTICES, SUBSCRIPTIONS, INVOICES, INTENTS, RECONCILING):
        op.execute(part)
