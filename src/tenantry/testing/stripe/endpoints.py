"""Webhook endpoints: where notices go, and the secret that signs them, which is shown once."""

from __future__ import annotations

from tenantry.testing.stripe import shapes
from tenantry.testing.stripe.books import Books, Thing, merged
from tenantry.testing.stripe.lists import of_kind
from tenantry.testing.stripe.routes import Asked, route
from tenantry.testing.stripe.wire import API_VERSION, invalid

KIND, URL = "webhook_endpoint", "/webhook_endpoints"


@route("POST", URL, needs=("url", "enabled_events"), url=shapes.text, enabled_events=shapes.each(shapes.text),
       description=shapes.text, api_version=shapes.text, metadata=shapes.metadata, connect=shapes.flag)  # fmt: skip
def create(asked: Asked) -> Thing:
    """A new endpoint; only this answer shows its secret."""
    secret = asked.books.new_id("whsec", 32)
    endpoint = entered(asked.books, asked.params["url"], secret, asked.params["enabled_events"])
    asked.books.change(endpoint, description=asked.get("description"), metadata=merged({}, asked.get("metadata", {})))
    return {**endpoint, "secret": secret}


def entered(books: Books, url: str, secret: str, events: list[str]) -> Thing:
    """Enter an endpoint."""
    if not url.startswith(("http://", "https://")):
        raise invalid("Invalid URL: An explicit scheme (such as https) must be provided.", "url", "url_invalid")
    endpoint = books.put(
        {
            "id": books.new_id("we", 24),
            "object": KIND,
            "api_version": API_VERSION,
            "application": None,
            "created": books.now(),
            "description": None,
            "enabled_events": events,
            "livemode": books.livemode,
            "metadata": {},
            "status": "enabled",
            "url": url,
        }
    )
    books.keep(f"endpoint:{endpoint['id']}", secret)
    return endpoint


@route("POST", URL + "/{}", url=shapes.text, enabled_events=shapes.each(shapes.text), description=shapes.text,
       disabled=shapes.flag, metadata=shapes.metadata)  # fmt: skip
def update(asked: Asked) -> Thing:
    """Change an endpoint, or turn it off."""
    endpoint, params = asked.books.get(KIND, asked.id), asked.params
    same: Thing = {name: params[name] for name in ("url", "enabled_events", "description") if name in params}
    if "disabled" in params:
        same["status"] = "disabled" if params["disabled"] else "enabled"
    if "metadata" in params:
        same["metadata"] = merged(endpoint["metadata"], params["metadata"])
    asked.books.change(endpoint, **same)
    return endpoint


@route("GET", URL + "/{}")
def retrieve(asked: Asked) -> Thing:
    """One endpoint."""
    return asked.books.get(KIND, asked.id)


@route("GET", URL, lists=True)
def list_endpoints(asked: Asked) -> Thing:
    """Endpoints, newest first."""
    return of_kind(asked, KIND, "/v1" + URL)


@route("DELETE", URL + "/{}")
def delete(asked: Asked) -> Thing:
    """Send nothing there any more."""
    asked.books.remove(asked.books.get(KIND, asked.id))
    return {"id": asked.id, "object": KIND, "deleted": True}
