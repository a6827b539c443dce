"""Endpoints: one route made callable. Credential, input, Work, handler, commit, answer: the same for every route."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

import msgspec

from tenantry.entrypoints.http.arrival import Arrival
from tenantry.entrypoints.http.body import read_body
from tenantry.entrypoints.http.counting import count_caller, count_org, count_refusal
from tenantry.entrypoints.http.credential import keep_visit
from tenantry.entrypoints.http.etag import mark_of, read_tag, write_tag
from tenantry.entrypoints.http.once import Once, asked_once
from tenantry.entrypoints.http.query import read_query, refuse_query
from tenantry.entrypoints.http.reply import JSON, Reply, encode, file_reply, problem_reply, streamed_reply
from tenantry.foundation.action import Refusal
from tenantry.foundation.answers import AnswerKept
from tenantry.foundation.call import Actor, Call
from tenantry.foundation.denials import remember_denial
from tenantry.foundation.logs import on_behalf_of
from tenantry.foundation.net.address import read_address
from tenantry.foundation.operating import OperatorWork
from tenantry.foundation.pages import Download
from tenantry.foundation.problems import Forbidden, Malformed, MatchNeeded, NotFound, Problem, Unavailable
from tenantry.foundation.raw import Raw
from tenantry.foundation.routes import Answered, Route, Versioned, id_parameters
from tenantry.foundation.runtime import Runtime
from tenantry.foundation.security.key_use import note_use
from tenantry.foundation.security.known_keys import KeyFacts
from tenantry.foundation.security.limits import Limit, is_loopback, network
from tenantry.foundation.security.turns import take_turns
from tenantry.foundation.streams import Streamed
from tenantry.foundation.wire import decode, decode_query
from tenantry.foundation.work import OrgWork, PersonWork

DEADLINE = 10.0
"""Seconds to answer a request."""
Endpoint = Callable[[dict[str, Any], Any, Arrival], Awaitable[Reply]]


class NotByKey(Forbidden):
    """No API key may do this; sign in."""

    code = "not_by_api_key"


class TookTooLong(Unavailable):
    """This took longer than it may; it was not done, or its outcome can be read."""

    code = "took_too_long"


def endpoint(route: Route, runtime: Runtime) -> Endpoint:
    """The route as a function of a request that has passed the gate."""

    async def handle(scope: dict[str, Any], receive: Any, arrival: Arrival) -> Reply:
        call = await calling(route, runtime, arrival)
        given = await _input(route, scope, receive, arrival, call.actor)

        def written(answer: Any) -> Reply:
            return _reply(route, answer, arrival, scope["path"], call.actor)

        asked = asked_once(route, call, arrival, scope)
        if asked is None:
            return written(await perform(route, call, given, arrival))
        reply: Reply = await perform(route, call, given, arrival, Once(route, call, asked, written))
        return reply

    return handle


async def calling(route: Route, runtime: Runtime, arrival: Arrival) -> Call:
    """Who asks for this, and how."""
    actor = await count_caller(route, runtime, arrival)
    arrival.actor = actor.kind
    if arrival.key is not None and not (route.in_org and route.requires.by_key):
        # what is a person's own is never a key's, whatever its scopes say
        raise NotByKey
    agent = arrival.header(b"user-agent") or ""
    # what reads may leave a trace in works of its own
    even_restricted = route.even_restricted or route.reads
    call = Call(
        runtime, actor, arrival.request_id, arrival.source, agent, route.even_closed, arrival.bound, even_restricted,
        arrival.key,
    )  # fmt: skip
    on_behalf_of.set(call)
    return call


async def perform(route: Route, call: Call, given: dict[str, Any], arrival: Arrival, once: Once | None = None) -> Any:
    """What the route's handler answers to what was given, within the deadline and the limits; as a reply if `once`."""
    org = given.get("org") if route.in_org else None
    try:
        async with asyncio.timeout(DEADLINE):
            if arrival.visit is not None and not route.public:
                await keep_visit(call, arrival)
            if once is None:
                answer = await _perform(route, call, given, arrival)
            else:
                answer = await _perform_once(route, call, given, arrival, once)
    except TimeoutError as error:
        raise TookTooLong from error
    except Problem as problem:
        # every work has ended by now, and none of its connections is held
        count_refusal(call.runtime, arrival, problem)
        if problem.denial:
            await _remember(route, _identified(call), problem, org, given)
        raise
    if org is not None and (facts := _known(call)) is not None:
        note_use(call, org, facts.id)
    return answer


def _known(call: Call) -> KeyFacts | None:
    """What the process knows of the API key that a call came by."""
    return None if call.key is None else call.runtime.known_keys.get(call.key)


def _identified(call: Call) -> Call:
    """The call with the API key that it came by, if the process has met that key."""
    facts = _known(call)
    return call if facts is None else call.by_key(facts.id, facts.created_by, facts.scopes)


async def _remember(route: Route, call: Call, problem: Problem, org: UUID | None, given: dict[str, Any]) -> None:
    """Leave in the audit log who was kept from what: an operation, and the last thing that its path names."""
    named = [(name, given[name]) for name in route.ids if name in given and not (route.in_org and name == "org")]
    action = f"{route.tag}:request:{route.handler.__name__}"
    await remember_denial(call, problem, action=action, org=org, target=named[-1] if named else None)


async def _perform_once(route: Route, call: Call, given: dict[str, Any], arrival: Arrival, once: Once) -> Reply:
    """The reply to a request under a key: worked out, or the one that was given before."""
    once.asked_by(call.actor.person, await _key_shown(call, given))
    async with once.alone():
        try:
            reply: Reply = await _perform(route, call, dict(given), arrival, once)
        except AnswerKept:
            async with _opened(OrgWork if route.in_org else PersonWork, call, given, reading=True) as work:
                if route.work is not None:
                    # an exchange was counted on the way to it
                    await count_org(work, route, arrival)
                work.require(route.requires)
                reply = await once.again(work)
    return reply


async def _key_shown(call: Call, given: dict[str, Any]) -> UUID | None:
    """The API key whose secret was shown."""
    if call.key is None:
        return None
    if (facts := _known(call)) is not None:
        return facts.id
    # one that this process has not met: its organization says which it is
    async with OrgWork(call, given["org"], reading=True) as work:
        return work.call.actor.key


async def _perform(route: Route, call: Call, given: dict[str, Any], arrival: Arrival, once: Once | None = None) -> Any:
    if route.limits:
        await take_turns(call, _counted(route, call, given))
    if route.work is None:
        within = await _within(route, call, given, arrival)
        if once is None:
            return await route.handler(within, **given)
        return await once.around(lambda: route.handler(within, **given))
    claim = None if once is None else once.claim
    async with _opened(route.work, call, given, reading=route.method == "GET", claim=claim) as work:
        await count_org(work, route, arrival)
        work.require(route.requires)
        answer = await route.handler(work, **given)
        return answer if once is None else once.kept(work, answer)


def _opened(
    kind: type[PersonWork | OrgWork | OperatorWork],
    call: Call,
    given: dict[str, Any],
    *,
    reading: bool,
    claim: UUID | None = None,
) -> PersonWork | OrgWork | OperatorWork:
    if issubclass(kind, OrgWork):
        return kind(call, given.pop("org"), reading=reading, claim=claim)
    if issubclass(kind, OperatorWork):
        # what an operator looks at is written down
        return kind(call)
    return kind(call, reading=reading, claim=claim)


async def _within(route: Route, call: Call, given: dict[str, Any], arrival: Arrival) -> Call:
    """The call as its exchange needs it: with the role of its caller, in their organization or as an operator."""
    if route.of_operators:
        async with OperatorWork(call) as house:
            house.require(route.requires)
            return house.call
    if not route.in_org:
        return call
    async with OrgWork(call, given.pop("org"), reading=True, ahead=not route.reads) as work:
        await count_org(work, route, arrival)
        work.require(route.requires)
        return work.call.within(work.org, work.role)


def _counted(route: Route, call: Call, given: dict[str, Any]) -> dict[Limit, str]:
    """Whom each limit of the route counts this request for."""
    asks_address = any(limit.by != "source" for limit in route.limits)
    place, address = network(call.source), _asked_about(given) if asks_address else ""
    whom = {"source": place, "address": address, "both": f"{place}\0{address}"}
    # on a developer's own machine everybody is one source
    alone = call.runtime.settings.rate_limits == "remote" and is_loopback(call.source)
    return {limit: whom[limit.by] for limit in route.limits if limit.by == "address" or not alone}


def _asked_about(given: dict[str, Any]) -> str:
    asked = given["body"] if "body" in given else given["form"]
    return read_address(asked.email).key


async def _input(route: Route, scope: dict[str, Any], receive: Any, arrival: Arrival, actor: Actor) -> dict[str, Any]:
    given: dict[str, Any] = {}
    if route.ids:
        ids = id_parameters(route, scope["path_params"])
        if None in ids.values():
            raise NotFound
        given |= ids
    if route.query is not None:
        given["query"] = decode_query(read_query(scope["query_string"]), route.query)
    elif scope["query_string"]:
        refuse_query(scope["query_string"])
    if route.method != "GET":
        arrival.body = body = await read_body(arrival, receive)
        if "raw" in route.takes:
            given["raw"] = Raw(body, arrival.headers)
        elif route.body is not None:
            given["body"] = decode(body, route.body)
        elif body:
            raise Malformed("This operation takes no body.")
    if route.needs_match and b"if-match" not in arrival.headers:
        raise MatchNeeded
    if "if_match" in route.takes:
        given["if_match"] = read_tag(arrival.header(b"if-match"), mark_of(scope["path"], actor, arrival))
    if "last_event_id" in route.takes:
        given["last_event_id"] = arrival.header(b"last-event-id")
    return given


def _reply(route: Route, answer: Any, arrival: Arrival, path: str, actor: Actor) -> Reply:
    if isinstance(answer, Refusal):
        arrival.problem = answer.problem
        return problem_reply(answer.problem, arrival.request_id)
    if isinstance(answer, Versioned):
        return _versioned(route, answer, arrival, write_tag(answer.version, mark_of(path, actor, arrival)))
    if isinstance(answer, Download):
        return file_reply(answer)
    if isinstance(answer, Streamed):
        return streamed_reply(answer)
    if isinstance(answer, Answered):
        return Reply(answer.status, encode(answer.value), [JSON])
    if answer is None:
        return Reply(route.status)
    return Reply(route.status, encode(answer), [JSON])


def _versioned(route: Route, answer: Versioned[msgspec.Struct], arrival: Arrival, tag: bytes) -> Reply:
    if route.method == "GET" and arrival.headers.get(b"if-none-match") == tag:
        return Reply(304, b"", [(b"etag", tag)])
    return Reply(route.status, encode(answer.value), [JSON, (b"etag", tag)])
