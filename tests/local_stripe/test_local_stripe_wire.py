"""The local Stripe as the official SDK meets it: forms, lists, expansion, errors, idempotency."""

from __future__ import annotations

import asyncio

import pytest
import stripe

from tenantry.testing.stripe import API_VERSION, CUT, idempotency
from tenantry.testing.stripe.wire import read_form


def test_it_speaks_the_version_that_the_sdk_is_pinned_to() -> None:
    assert stripe.api_version == API_VERSION


def test_nested_forms_are_read_as_they_were_meant() -> None:
    form = "items[0][price]=p&items[0][metadata][a]=1&items[1][price]=q&expand[]=x&expand[]=y&name=a%26b&empty="
    assert read_form(form) == {
        "items": [{"price": "p", "metadata": {"a": "1"}}, {"price": "q"}],
        "expand": ["x", "y"],
        "name": "a&b",
        "empty": "",
    }


async def test_a_customer_can_be_made_changed_found_and_deleted(world) -> None:
    made = await world.customer("", name="Ada", metadata={"org": "7", "gone": "x"})
    await world.do(lambda s: s.customers.update(made.id, {"metadata": {"gone": "", "new": "1"}, "name": ""}))
    found = await world.do(lambda s: s.customers.retrieve(made.id))
    assert (found.name, found.metadata.to_dict()) == (None, {"org": "7", "new": "1"})
    searched = await world.do(lambda s: s.customers.search({"query": "metadata['org']:'7'"}))
    assert [one.id for one in searched.data] == [made.id]
    assert (await world.do(lambda s: s.customers.delete(made.id))).deleted
    assert (await world.do(lambda s: s.customers.retrieve(made.id))).deleted
    assert (await world.do(lambda s: s.customers.list())).data == []


async def test_the_sdk_pages_through_a_list_in_both_directions(world) -> None:
    made = [(await world.do(lambda s: s.products.create({"name": "P"}))).id for _ in range(5)]
    paged = await world.do(lambda s: [one.id for one in s.products.list({"limit": 2}).auto_paging_iter()])
    assert paged == made[::-1]
    before = await world.do(lambda s: s.products.list({"limit": 2, "ending_before": made[1]}))
    assert [one.id for one in before.data] == [made[3], made[2]]
    assert before.has_more
    refused = await world.refused(lambda s: s.products.list({"limit": 101}))
    assert (refused.http_status, refused.param) == (400, "limit")
    assert (await world.refused(lambda s: s.products.list({"starting_after": "prod_x"}))).param == "starting_after"


async def test_a_lookup_key_moves_to_another_price_only_when_asked(world) -> None:
    old = await world.price(lookup_key="pro")
    assert (await world.refused(lambda s: s.prices.create(_price(old, 2000)))).param == "lookup_key"
    new = await world.do(lambda s: s.prices.create({**_price(old, 2000), "transfer_lookup_key": True}))
    found = await world.do(lambda s: s.prices.list({"lookup_keys": ["pro"]}))
    assert [one.id for one in found.data] == [new.id]


def _price(like, amount: int) -> dict:
    return {"product": like.product, "currency": "usd", "unit_amount": amount, "lookup_key": "pro"}


async def test_a_price_never_changes_what_it_costs(world) -> None:
    price = await world.price()
    refused = await world.refused(lambda s: s.prices.update(price.id, {"unit_amount": 5}))
    assert (refused.code, refused.param) == ("parameter_unknown", "unit_amount")


async def test_expanded_ids_are_objects_and_unknown_paths_are_refused(world) -> None:
    subscription = await world.subscription()
    paths = ["latest_invoice.payments.data.payment.payment_intent", "items.data.price.product", "customer.tax_ids"]
    shown = await world.do(lambda s: s.subscriptions.retrieve(subscription.id, {"expand": paths}))
    assert shown.latest_invoice.payments.data[0].payment.payment_intent.status == "succeeded"
    assert shown["items"].data[0].price.product.name == "Pro"
    assert shown.customer.tax_ids.data == []
    assert (await world.refused(lambda s: s.subscriptions.list({"expand": ["data.status"]}))).http_status == 400


@pytest.mark.parametrize(
    ("call", "status", "param"),
    [
        (lambda s: s.customers.retrieve("cus_x"), 404, "id"),
        (lambda s: s.subscriptions.create({"customer": "cus_x", "items": [{"price": "p"}]}), 400, "customer"),
        (lambda s: s.customers.create({"colour": "red"}), 400, "colour"),
        (lambda s: s.products.create({}), 400, "name"),
        (lambda s: s.customers.create({"metadata": {"a": "x" * 501}}), 400, "metadata"),
        (lambda s: s.products.create({"name": "P", "active": "perhaps"}), 400, "active"),
        (lambda s: s.customers.create({"email": "nowhere"}), 400, "email"),
    ],
)
async def test_what_makes_no_sense_is_refused_with_its_name(world, call, status: int, param: str) -> None:
    error = await world.refused(call)
    assert isinstance(error, stripe.InvalidRequestError)
    assert (error.http_status, error.param) == (status, param)
    assert error.request_id.startswith("req_")


@pytest.mark.parametrize("quantity", [-1, 10**9, "many"])
async def test_an_impossible_quantity_is_refused_and_nothing_is_made(world, quantity) -> None:
    price, customer = await world.price(), await world.customer()
    given = {"customer": customer.id, "items": [{"price": price.id, "quantity": quantity}]}
    assert (await world.refused(lambda s: s.subscriptions.create(given))).param == "items[0][quantity]"
    assert not world.local.books.kinds["subscription"]


async def test_another_key_is_refused(world) -> None:
    with pytest.raises(stripe.AuthenticationError):
        await asyncio.to_thread(world.client("sk_test_other").v1.accounts.retrieve_current)
    assert (await world.do(lambda s: s.accounts.retrieve_current())).object == "account"


async def test_a_repeated_key_gets_the_first_answer(world) -> None:
    options = {"idempotency_key": "one"}
    first, again = [await world.do(lambda s: s.customers.create({"name": "A"}, options)) for _ in range(2)]
    assert first.id == again.id
    assert again.last_response.headers["Idempotent-Replayed"] == "true"
    assert len(world.local.books.kinds["customer"]) == 1
    with pytest.raises(stripe.IdempotencyError):
        await world.do(lambda s: s.customers.create({"name": "B"}, options))


async def test_a_stored_error_is_repeated_but_an_unreadable_request_is_not(world) -> None:
    customer, options = await world.customer(""), {"idempotency_key": "two"}

    def attach(s):
        return s.payment_methods.attach("pm_card_chargeDeclined", {"customer": customer.id}, options)

    first, again = await world.refused(attach), await world.refused(attach)
    assert isinstance(first, stripe.CardError)
    assert first.error.decline_code == "generic_decline"
    assert again.headers["Idempotent-Replayed"] == "true"
    bad = {"idempotency_key": "three"}
    await world.refused(lambda s: s.products.create({}, bad))
    assert (await world.do(lambda s: s.products.create({"name": "P"}, bad))).name == "P"


async def test_trouble_comes_on_demand(world) -> None:
    for status, kind in ((429, stripe.RateLimitError), (500, stripe.APIError), (401, stripe.AuthenticationError)):
        world.local.fail(status)
        assert isinstance(await world.refused(lambda s: s.customers.list()), kind)
    world.local.fail(CUT)
    assert isinstance(await world.refused(lambda s: s.customers.list()), stripe.APIConnectionError)
    assert (await world.do(lambda s: s.customers.list())).data == []


async def test_an_answer_lost_on_the_way_is_found_again_by_its_key(world) -> None:
    world.local.fail(CUT, after=True, path="/v1/customers")
    options = {"idempotency_key": "lost"}
    await world.refused(lambda s: s.customers.create({"name": "A"}, options))
    found = await world.do(lambda s: s.customers.create({"name": "A"}, options))
    assert list(world.local.books.kinds["customer"]) == [found.id]


async def test_the_sdk_retries_through_trouble_without_doubling(world) -> None:
    world.local.fail(CUT, after=True, path="/v1/customers")
    client = world.client(retries=2)
    await asyncio.to_thread(client.v1.customers.create, {"name": "A"})
    assert len(world.local.books.kinds["customer"]) == 1


async def test_another_version_of_the_api_is_refused(world) -> None:
    options = {"stripe_version": "2020-08-27"}
    assert (await world.refused(lambda s: s.customers.list({}, options))).http_status == 400


async def test_a_tax_id_is_checked_and_belongs_to_its_customer(world) -> None:
    customer = await world.customer("")
    wrong = {"type": "eu_vat", "value": "?"}
    assert (await world.refused(lambda s: s.customers.tax_ids.create(customer.id, wrong))).code == "tax_id_invalid"
    right = await world.do(lambda s: s.customers.tax_ids.create(customer.id, {**wrong, "value": "DE123456789"}))
    assert [one.id for one in (await world.do(lambda s: s.customers.tax_ids.list(customer.id))).data] == [right.id]
    await world.do(lambda s: s.customers.tax_ids.delete(customer.id, right.id))
    assert (await world.do(lambda s: s.customers.tax_ids.list(customer.id))).data == []


def test_the_newest_idempotency_keys_are_remembered_and_no_more_of_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(idempotency, "MOST", 2)
    answers = idempotency.Answers()
    for key in "abc":
        answers.keep(key, "POST", "/v1/customers", b"", (200, b"{}", "req_1"))
    assert list(answers.all()) == ["b", "c"]
