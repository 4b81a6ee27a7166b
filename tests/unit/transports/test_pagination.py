"""Shows that a listing is read to its end in every style, and that one without an end or a list is an error."""

from __future__ import annotations

import math
from dataclasses import replace
from operator import itemgetter

import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st

from pv_testing.contracts.pages import Pagination
from pv_testing.core.errors import PaginationLoop, ResponseError, SecurityError
from pv_testing.transports.pagination import _next_link, dig, items
from tests.unit.transports.servers import json

pytestmark = pytest.mark.anyio
PAGED = Pagination("page", size="limit", items="data", pages="pages", total="total")
ALL = [{"id": number} for number in range(23)]


async def answer(body) -> web.Response:
    return json(body)


async def read(session, style: Pagination, path: str = "/samples", **options) -> list:
    return [item async for item in items(session, path, style, **options)]


def pages(*, named: bool, extra: bool):
    """Hand out pages by number; a page larger than 10 is not given."""

    async def handle(request: web.Request) -> web.Response:
        size = min(10, int(request.query["limit"]))
        number = int(request.query["page"])
        part = ALL[(number - 1) * size : number * size]
        body = {"data": part, **({"pages": math.ceil(len(ALL) / size)} if named else {})}
        return json({**body, "total": len(ALL)} if extra else body)

    return handle


@pytest.mark.parametrize(("named", "extra", "requests"), [(True, True, 3), (False, True, 3), (False, False, 4)])
async def test_pages_by_number(serve, open_session, named, extra, requests):
    server = await serve(pages(named=named, extra=extra))
    found = await read(open_session(server.address), PAGED, params={"status": "Received"})
    assert found == ALL
    assert len(server.seen) == requests
    assert [request.query["page"] for request in server.seen] == [str(number + 1) for number in range(requests)]
    assert {request.query["status"] for request in server.seen} == {"Received"}


async def test_pages_may_begin_with_zero(serve, open_session):
    async def handle(request: web.Request) -> web.Response:
        number = int(request.query["page"])
        return json({"data": ALL[number * 10 : number * 10 + 10], "pages": 3})

    server = await serve(handle)
    assert await read(open_session(server.address), replace(PAGED, start=0)) == ALL


@pytest.mark.parametrize("told", [True, False])
async def test_pages_by_offset(serve, open_session, told):
    async def handle(request: web.Request) -> web.Response:
        start, size = int(request.query["skip"]), int(request.query["top"])
        return json({"value": {"rows": ALL[start : start + size]}, **({"total": len(ALL)} if told else {})})

    server = await serve(handle)
    style = replace(PAGED, style="offset", page="skip", size="top", page_size=7, items="value.rows", total="total")
    assert await read(open_session(server.address), style) == ALL
    assert [request.query["skip"] for request in server.seen] == ["0", "7", "14", "21"] + ([] if told else ["23"])


@pytest.mark.parametrize(("style", "first"), [("page", 1), ("offset", 0)])
@pytest.mark.parametrize(("yes", "no"), [(True, False), ("true", "false"), (1, 0)])
async def test_pages_that_say_only_whether_another_one_follows(serve, open_session, style, first, yes, no):
    async def handle(request: web.Request) -> web.Response:
        start = int(request.query["at"]) if style == "offset" else (int(request.query["at"]) - 1) * 10
        follows = yes if start + 10 < len(ALL) else no
        return json({"data": ALL[start : start + 10], "meta": {"more": follows}})

    server = await serve(handle)
    pages = Pagination(style, page="at", size="limit", page_size=10, start=first, items="data", more="meta.more")
    assert await read(open_session(server.address), pages) == ALL
    assert len(server.seen) == 3


async def test_an_empty_page_with_another_one_to_follow_is_an_error(serve, open_session):
    server = await serve(lambda _: answer({"data": [], "more": True}))
    with pytest.raises(PaginationLoop, match="page 1 of the listing is empty"):
        await read(open_session(server.address), replace(PAGED, more="more"))


async def test_pages_by_cursor(serve, open_session):
    async def handle(request: web.Request) -> web.Response:
        start = int(request.query.get("after", "/0=").strip("/="))
        more = start + 10 < len(ALL)
        return json({"data": ALL[start : start + 10], "meta": {"next": f"/{start + 10}=" if more else None}})

    server = await serve(handle)
    style = replace(PAGED, style="cursor", page="after", next="meta.next")
    assert await read(open_session(server.address), style) == ALL
    assert [request.query.get("after") for request in server.seen] == [None, "/10=", "/20="]


@pytest.mark.parametrize("name", ["next", "@odata.nextLink"])
@pytest.mark.parametrize("form", ["{origin}/api/samples?from={start}", "/api/samples?from={start}"])
async def test_the_cursor_may_be_an_address(serve, open_session, form, name):
    async def handle(request: web.Request) -> web.Response:
        start = int(request.query.get("from", 0))
        following = form.format(origin=f"http://{request.host}", start=start + 10) if start + 10 < len(ALL) else None
        return json({"data": ALL[start : start + 10], name: following})

    server = await serve(handle)
    assert await read(open_session(server.address + "/api"), replace(PAGED, style="cursor", next=name)) == ALL
    assert set(server.paths()) == {"/api/samples"}


@pytest.mark.parametrize("form", ["{origin}/samples?from={start}", "/samples?from={start}", "?from={start}"])
async def test_pages_by_link(serve, open_session, form):
    async def handle(request: web.Request) -> web.Response:
        start = int(request.query.get("from", 0))
        following = form.format(origin=f"http://{request.host}", start=start + 10)
        link = f'<{request.path}>; rel="first"' + (f', <{following}>; rel="next"' if start + 10 < len(ALL) else "")
        return json(ALL[start : start + 10], Link=link)

    server = await serve(handle)
    assert await read(open_session(server.address), replace(PAGED, style="link", items="")) == ALL
    assert len(server.seen) == 3


@pytest.mark.parametrize(
    ("link", "follows"),
    [
        ('</samples?from=10>; Rel="Next"', True),
        ('</samples?from=10>; rel="next last"', True),
        ('</samples?from=10>; title="more > less"; rel="next"', True),
        ('<http://[>; rel="first", </samples?from=10>; rel=next', True),
        ('</samples?from=10>; title="page; rel=next"; rel="prev"', False),
        ('</samples?from=10>; rel="prev"; title="a, </b>; rel=next"', False),
    ],
)
async def test_a_link_is_read_as_its_standard_has_it(serve, open_session, link, follows):
    async def handle(request: web.Request) -> web.Response:
        start = int(request.query.get("from", 0))
        return json(ALL[start : start + 10], **({} if start else {"Link": link}))

    server = await serve(handle)
    read_items = await read(open_session(server.address), replace(PAGED, style="link", items=""))
    assert read_items == ALL[: 20 if follows else 10]


async def test_everything_at_once(serve, open_session):
    server = await serve(json({"items": ALL, "next": "/more?x", "pages": 9}))
    assert await read(open_session(server.address), replace(PAGED, style="none", items="items")) == ALL
    assert len(server.seen) == 1
    assert server.seen[0].query == {}


async def test_an_empty_listing_is_empty(serve, open_session):
    for body in ({"data": [], "pages": 0, "total": 0}, {"data": [], "pages": 1}, {"data": []}):
        server = await serve(json(body))
        assert await read(open_session(server.address), PAGED) == []
        assert len(server.seen) == 1


@pytest.mark.parametrize(
    "style",
    [PAGED, replace(PAGED, style="offset"), replace(PAGED, style="cursor", next="next"), replace(PAGED, style="link")],
)
async def test_a_page_that_comes_again_is_a_loop(serve, open_session, style):
    server = await serve(json({"data": ALL, "next": "again"}, Link='</samples>; rel="next"'))
    with pytest.raises(PaginationLoop, match="page 2"):
        await read(open_session(server.address), style)
    assert len(server.seen) == 2


async def test_a_circle_of_pages_is_a_loop(serve, open_session):
    async def handle(request: web.Request) -> web.Response:
        page = int(request.query["page"])
        return json({"data": [{"id": page % 3}]})

    server = await serve(handle)
    with pytest.raises(PaginationLoop, match="page 4"):
        await read(open_session(server.address), PAGED)


async def test_a_listing_without_end_is_given_up(serve, open_session):
    async def handle(request: web.Request) -> web.Response:
        return json({"data": [{"id": request.query["page"]}]})

    server = await serve(handle)
    with pytest.raises(PaginationLoop, match="no end"):
        await read(open_session(server.address), replace(PAGED, most=20))
    assert len(server.seen) == 20


async def test_empty_pages_without_end_are_given_up(serve, open_session):
    server = await serve(json({"data": [], "next": "more"}))
    with pytest.raises(PaginationLoop, match="no end"):
        await read(open_session(server.address), replace(PAGED, style="cursor", next="next", most=20))


@pytest.mark.parametrize("body", [{}, {"data": None}, {"data": {"id": 1}}, {"items": []}, [], "x", None])
async def test_an_answer_without_a_list_is_an_error_and_not_an_empty_listing(serve, open_session, body):
    server = await serve(json(body))
    with pytest.raises(ResponseError, match="no list at data"):
        await read(open_session(server.address), PAGED)


async def test_the_next_page_is_never_fetched_elsewhere(serve, open_session):
    elsewhere = await serve(json({"data": ALL}))
    for style in (replace(PAGED, style="cursor", next="next"), replace(PAGED, style="link")):
        server = await serve(json({"data": ALL, "next": elsewhere.address}, Link=f'<{elsewhere.address}>; rel="next"'))
        with pytest.raises(SecurityError):
            await read(open_session(server.address), style)
    assert elsewhere.seen == []


@pytest.mark.parametrize(
    ("header", "address"),
    [
        ("", None),
        ("</a>; rel=next", "/a"),
        ('</a>; rel="next"', "/a"),
        ('</a>; title="a, b; rel=next"; rel="prev", </b>; rel="next"', "/b"),
        ('</a>;rel="last  NEXT"', "/a"),
        ('</a?x=1,2;3>; rel="next"; title="x"', "/a?x=1,2;3"),
        ('</a>; rel="next-archive"', None),
        ("</a>; rel=prev", None),
        ("no link", None),
    ],
)
def test_a_link_header_names_the_next_page(header, address):
    assert _next_link(header) == address


@given(st.text(alphabet='<>;,="rel nxt/\\', max_size=200))
def test_any_link_header_is_read(header):
    address = _next_link(header)
    assert address is None or f"<{address}>" in header


def test_a_path_leads_through_objects_only():
    body = {"a": {"b": [1]}, "c": None}
    assert (dig(body, "a.b"), dig(body, "c.d"), dig(body, "a.b.0"), dig(body, "")) == ([1], None, None, body)


async def test_a_listing_that_is_larger_than_the_bound_is_given_up(serve, open_session):
    async def handle(request: web.Request) -> web.Response:
        return json({"data": [{"id": request.query["page"], "text": "x" * 1_000}], "pages": 10**9})

    server = await serve(handle)
    with pytest.raises(PaginationLoop, match="10,000 bytes after 10 pages") as raised:
        await read(open_session(server.address), replace(PAGED, most_bytes=10_000))
    assert raised.value.code == "LISTING_TOO_LARGE"
    assert len(server.seen) == 10


@pytest.mark.parametrize("style", [PAGED, replace(PAGED, style="offset", page="start", pages="")])
async def test_an_id_that_comes_twice_is_an_error_and_no_shorter_listing(serve, open_session, style):
    async def handle(request: web.Request) -> web.Response:
        page = len(server.seen)
        # Somebody has changed an item between two pages, by which the listing is sorted: 9 comes again, 10 never.
        part = ALL[:10] if page == 1 else [{**ALL[9], "changed": True}, *ALL[11:20]] if page == 2 else ALL[20:]
        return json({"data": part, "total": len(ALL)})

    server = await serve(handle)
    with pytest.raises(ResponseError, match="page 2 of the listing has the id 9 once more") as refused:
        await read(open_session(server.address), replace(style, pages=""), item_id=itemgetter("id"))
    assert refused.value.code == "LISTED_TWICE"


async def test_items_without_id_are_not_compared(serve, open_session):
    async def handle(_: web.Request) -> web.Response:
        return json({"data": [{"id": None}, {"id": ""}, {"id": None}, {"id": ""}]})

    server = await serve(handle)
    found = await read(open_session(server.address), replace(PAGED, style="none"), item_id=itemgetter("id"))
    assert len(found) == 4
