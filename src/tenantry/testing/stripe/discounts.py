"""Coupons, the codes that customers type, and the discounts they become."""

from __future__ import annotations

from typing import Any

from tenantry.testing.stripe import notices, periods, shapes
from tenantry.testing.stripe.books import Books, Thing, copied, merged
from tenantry.testing.stripe.lists import of_kind
from tenantry.testing.stripe.routes import Asked, route
from tenantry.testing.stripe.wire import invalid

DISCOUNTS = shapes.each(shapes.hash_of(coupon=shapes.text, promotion_code=shapes.text, discount=shapes.text))


@route("POST", "/coupons", id=shapes.text, percent_off=shapes.number, amount_off=shapes.amount, currency=shapes.text,
       duration=shapes.one_of("once", "forever", "repeating"), duration_in_months=shapes.whole, name=shapes.text,
       max_redemptions=shapes.whole, redeem_by=shapes.whole, metadata=shapes.metadata,
       applies_to=shapes.hash_of(products=shapes.each(shapes.text)))  # fmt: skip
def create_coupon(asked: Asked) -> Thing:
    """A new coupon: a percentage or an amount, once, for some months, or for ever."""
    books, given = asked.books, asked.params
    _check_coupon(books, given)
    coupon = books.put(
        {
            "id": given.get("id") or books.new_id("c", 8)[2:],
            "object": "coupon",
            "amount_off": given.get("amount_off"),
            "applies_to": given.get("applies_to"),
            "created": books.now(),
            "currency": given.get("currency"),
            "duration": asked.get("duration", "once"),
            "duration_in_months": given.get("duration_in_months"),
            "livemode": books.livemode,
            "max_redemptions": given.get("max_redemptions"),
            "metadata": merged({}, asked.get("metadata", {})),
            "name": given.get("name"),
            "percent_off": given.get("percent_off"),
            "redeem_by": given.get("redeem_by"),
            "times_redeemed": 0,
            "valid": True,
        }
    )
    notices.told(books, "coupon.created", coupon)
    return coupon


def _check_coupon(books: Books, given: dict[str, Any]) -> None:
    if (given.get("percent_off") is None) == (given.get("amount_off") is None):
        raise invalid("You must pass either percent_off or amount_off.", "percent_off", "parameter_missing")
    if given.get("percent_off") is not None and not 0 < given["percent_off"] <= 100:
        raise invalid("Invalid percent_off: must be greater than 0 and at most 100.", "percent_off")
    if given.get("amount_off") is not None and not given.get("currency"):
        raise invalid("You must pass currency when passing amount_off.", "currency", "parameter_missing")
    if (given.get("duration") == "repeating") != (given.get("duration_in_months") is not None):
        raise invalid("duration_in_months belongs to duration=repeating.", "duration_in_months")
    if given.get("id") and books.find("coupon", given["id"]):
        raise invalid("Coupon already exists.", "id", "resource_already_exists")


@route("GET", "/coupons", lists=True, created=shapes.span)
def list_coupons(asked: Asked) -> Thing:
    """Coupons, newest first."""
    return of_kind(asked, "coupon", "/v1/coupons")


@route("GET", "/coupons/{}")
def retrieve_coupon(asked: Asked) -> Thing:
    """One coupon."""
    return asked.books.get("coupon", asked.id)


@route("POST", "/coupons/{}", name=shapes.text, metadata=shapes.metadata)
def update_coupon(asked: Asked) -> Thing:
    """Rename a coupon; what it takes off never changes."""
    coupon = asked.books.get("coupon", asked.id)
    before = copied(coupon)
    if "name" in asked.params:
        asked.books.change(coupon, name=asked.params["name"])
    if "metadata" in asked.params:
        asked.books.change(coupon, metadata=merged(coupon["metadata"], asked.params["metadata"]))
    notices.changed(asked.books, "coupon.updated", coupon, before)
    return coupon


@route("DELETE", "/coupons/{}")
def delete_coupon(asked: Asked) -> Thing:
    """Have a coupon redeemed no more; discounts that exist go on."""
    coupon = asked.books.get("coupon", asked.id)
    asked.books.change(coupon, valid=False)
    notices.told(asked.books, "coupon.deleted", coupon)
    return {"id": asked.id, "object": "coupon", "deleted": True}


@route("POST", "/promotion_codes", needs=("promotion",), code=shapes.text, active=shapes.flag, customer=shapes.text,
       promotion=shapes.hash_of(("type", "coupon"), type=shapes.one_of("coupon"), coupon=shapes.text),
       expires_at=shapes.whole, max_redemptions=shapes.whole, metadata=shapes.metadata,
       restrictions=shapes.hash_of(first_time_transaction=shapes.flag, minimum_amount=shapes.amount,
                                   minimum_amount_currency=shapes.text))  # fmt: skip
def create_code(asked: Asked) -> Thing:
    """A code that customers can type for a coupon."""
    books, given = asked.books, asked.params
    books.get("coupon", given["promotion"]["coupon"], "promotion[coupon]")
    code = given.get("code") or books.new_id("c", 8)[2:].upper()
    if by_code(books, code) is not None:
        raise invalid(f"An active promotion code with `code: {code}` already exists.", "code")
    restrictions = {"first_time_transaction": False, "minimum_amount": None, "minimum_amount_currency": None}
    promotion_code = books.put(
        {
            "id": books.new_id("promo", 24),
            "object": "promotion_code",
            "active": given.get("active", True),
            "code": code,
            "created": books.now(),
            "customer": given.get("customer"),
            "expires_at": given.get("expires_at"),
            "livemode": books.livemode,
            "max_redemptions": given.get("max_redemptions"),
            "metadata": merged({}, asked.get("metadata", {})),
            "promotion": given["promotion"],
            "restrictions": {**restrictions, **asked.get("restrictions", {})},
            "times_redeemed": 0,
        }
    )
    notices.told(books, "promotion_code.created", promotion_code)
    return promotion_code


def by_code(books: Books, code: str) -> Thing | None:
    """The active promotion code that reads so, whatever its case."""
    codes = (one for one in books.newest_first("promotion_code") if one["active"])
    return next((one for one in codes if one["code"].lower() == code.lower()), None)


@route("GET", "/promotion_codes", lists=True, code=shapes.text, coupon=shapes.text, active=shapes.flag,
       customer=shapes.text, created=shapes.span)  # fmt: skip
def list_codes(asked: Asked) -> Thing:
    """Promotion codes, by what they read or what they are for."""
    code, coupon, active = asked.get("code"), asked.get("coupon"), asked.params.get("active")

    def keep(one: Thing) -> bool:
        reads = code is None or one["code"].lower() == code.lower()
        return reads and coupon in (None, one["promotion"]["coupon"]) and active in (None, one["active"])

    return of_kind(asked, "promotion_code", "/v1/promotion_codes", keep)


@route("GET", "/promotion_codes/{}")
def retrieve_code(asked: Asked) -> Thing:
    """One promotion code."""
    return asked.books.get("promotion_code", asked.id)


@route("POST", "/promotion_codes/{}", active=shapes.flag, metadata=shapes.metadata)
def update_code(asked: Asked) -> Thing:
    """Open or close a promotion code."""
    code = asked.books.get("promotion_code", asked.id)
    before = copied(code)
    if "active" in asked.params:
        asked.books.change(code, active=asked.params["active"])
    if "metadata" in asked.params:
        asked.books.change(code, metadata=merged(code["metadata"], asked.params["metadata"]))
    notices.changed(asked.books, "promotion_code.updated", code, before)
    return code


def redeemed(books: Books, given: list[dict[str, Any]], customer: str, subscription: str) -> list[str]:
    """The discounts that these coupons and codes become; one that exists already stays."""
    return [
        one["discount"]
        if one.get("discount")
        else _redeemed(books, *usable(books, one, customer), customer, subscription)["id"]
        for one in given
    ]


def usable(books: Books, one: dict[str, Any], customer: str) -> tuple[Thing, str | None]:
    """The coupon, and the id of the code that stands for it, if they may be used by this customer now."""
    now, code = books.now(customer), None
    if one.get("promotion_code"):
        code = books.get("promotion_code", one["promotion_code"], "discounts[0][promotion_code]")
        if not code["active"] or _used_up(code, now) or code["customer"] not in (None, customer):
            raise invalid("This promotion code cannot be redeemed.", "discounts[0][promotion_code]")
    coupon_id = code["promotion"]["coupon"] if code else one.get("coupon") or ""
    coupon = books.get("coupon", coupon_id, "discounts[0][coupon]")
    if not coupon["valid"] or _used_up(coupon, now):
        raise invalid(f"Coupon {coupon['id']} is used up or expired.", "discounts[0][coupon]", "coupon_expired")
    return coupon, code["id"] if code else None


def _used_up(one: Thing, now: int) -> bool:
    last = one.get("expires_at") or one.get("redeem_by")
    return one["times_redeemed"] >= (one["max_redemptions"] or 2**31) or bool(last and last <= now)


def _redeemed(books: Books, coupon: Thing, code: str | None, customer: str, subscription: str) -> Thing:
    for used in (coupon, books.find("promotion_code", code)):
        if used is not None:
            books.change(used, times_redeemed=used["times_redeemed"] + 1)
    now, months = books.now(customer), coupon["duration_in_months"]
    discount = books.put(
        {
            "id": books.new_id("di", 24),
            "object": "discount",
            "checkout_session": None,
            "customer": customer,
            "customer_account": None,
            "end": periods.after(now, months, "month") if months else None,
            "invoice": None,
            "invoice_item": None,
            "promotion_code": code,
            "source": {"type": "coupon", "coupon": coupon["id"]},
            "start": now,
            "subscription": subscription,
            "subscription_item": None,
        }
    )
    notices.told(books, "customer.discount.created", discount)
    return discount


def still_good(books: Books, ids: list[str], now: int) -> list[str]:
    """Those that take something off the next invoice too."""
    found = [one for one in (books.find("discount", id_) for id_ in ids) if one]
    lasting = [one for one in found if books.kinds["coupon"][one["source"]["coupon"]]["duration"] != "once"]
    return [one["id"] for one in lasting if one["end"] is None or one["end"] > now]
