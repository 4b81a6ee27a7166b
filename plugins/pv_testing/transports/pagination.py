"""Listings page by page, in the four ways that systems offer, with an end to every loop."""

from __future__ import annotations

import hashlib
import re
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from yarl import URL

from pv_testing.errors import PaginationLoop, ResponseError
from pv_testing.transports.response import Response

if TYPE_CHECKING:
    from pv_testing.transports.rest import RestSession

_LINK = re.compile(r'<([^>]*)>((?:\s*;\s*[^=;,\s]+\s*=\s*(?:"[^"]*"|[^",;\s]*))*)')
_PARAMETER = re.compile(r';\s*([^=;,\s]+)\s*=\s*(?:"([^"]*)"|([^",;\s]*))')
_ADDRESS = re.compile(r"https?://|/.*\?", re.IGNORECASE)


@dataclass(frozen=True)
class PageStyle:
    """How a system hands out a listing.

    Attributes:
        style: ``page`` (page number and size), ``offset`` (offset and size), ``cursor`` (a token from the last answer),
            ``link`` (a ``Link`` header, RFC 8288) or ``single`` (everything at once).
        position: name of the query parameter with page, offset or cursor.
        size: name of the query parameter with the page size.
        page_size: items a page.
        start: the number of the first page.
        items: where the items are in the answer, as a dotted path; empty when the answer is the list.
        pages: where the number of pages is, if the system says it.
        total: where the number of all items is, if the system says it.
        cursor: where the next cursor or the next page's address is, for the style ``cursor``.
        most: pages after which the listing is given up.
    """

    style: Literal["page", "offset", "cursor", "link", "single"] = "page"
    position: str = "page"
    size: str = "limit"
    page_size: int = 100
    start: int = 1
    items: str = "data"
    pages: str = "pages"
    total: str = "total"
    cursor: str = ""
    most: int = 10_000


async def items(
    session: RestSession, path: str, style: PageStyle, params: Mapping[str, Any] | None = None, **request: Any
) -> AsyncIterator[dict[str, Any]]:
    """Give every item of a listing.

    Args:
        session: with the system.
        path: of the listing.
        style: how the system hands it out.
        params: the query's other parameters.
        request: anything else that :meth:`RestSession.request` takes.

    Raises:
        PaginationLoop: the same page came twice, or there is no end.
        ResponseError: an answer has no list where one should be.
    """
    seen: set[bytes] = set()
    given = 0
    address, query = path, {**(params or {}), **_first(style)}
    for number in range(1, style.most + 1):
        response = await session.request("GET", address, params=query, **request)
        page = _page(response, style)
        _refuse_repetition(page, seen, number)
        for item in page:
            yield item
        given += len(page)
        following = _following(response, page, style, number, given)
        if following is None:
            return
        if style.style == "link" or _ADDRESS.match(str(following)):
            address, query = _joined(response, str(following)), {}
        else:
            query[style.position] = following
    raise PaginationLoop(f"the listing has no end: {style.most:,} pages were read")


def _next_link(header: str) -> str | None:
    """Return the address that a ``Link`` header (RFC 8288) gives for the next page."""
    for address, parameters in _LINK.findall(header):
        for name, quoted, plain in _PARAMETER.findall(parameters):
            if name.lower() == "rel" and "next" in (quoted or plain).lower().split():
                return str(address)
    return None


def _joined(response: Response, reference: str) -> str:
    """Return the address that a reference in an answer means (RFC 3986, 5)."""
    try:
        return str(response.url.join(URL(reference))) if response.url else reference
    except ValueError as error:
        raise ResponseError("the next page's address is none", excerpt=reference) from error


def dig(said: Any, path: str) -> Any:
    """Return what a dotted path leads to, or ``None``; an empty path is the whole."""
    for name in path.split(".") if path else ():
        said = said.get(name) if isinstance(said, Mapping) else None
    return said


def _first(style: PageStyle) -> dict[str, Any]:
    size = {style.size: style.page_size} if style.size and style.style != "single" else {}
    start: dict[str, dict[str, Any]] = {"page": {style.position: style.start}, "offset": {style.position: 0}}
    return {**size, **start.get(style.style, {})}


def _page(response: Response, style: PageStyle) -> list[dict[str, Any]]:
    page = dig(response.json(), style.items)
    if not isinstance(page, list):
        raise ResponseError(f"the answer has no list at {style.items or 'its top'}", excerpt=response.text)
    return page


def _refuse_repetition(page: list[Any], seen: set[bytes], number: int) -> None:
    digest = hashlib.blake2b(repr(page).encode(), digest_size=16).digest()
    if page and digest in seen:
        raise PaginationLoop(f"page {number} of the listing is one that came before; nothing of it can be relied on")
    seen.add(digest)


def _following(response: Response, page: list[Any], style: PageStyle, number: int, given: int) -> Any:
    """Return page number, offset, cursor or address of what comes next; ``None`` at the end."""
    if style.style == "single":
        return None
    if style.style == "link":
        return _next_link(response.headers.get("Link", ""))
    said = response.json()
    if style.style == "cursor":
        return dig(said, style.cursor) or None
    pages, total = (dig(said, path) if path else None for path in (style.pages, style.total))
    if isinstance(pages, int):
        more = number < pages
    elif isinstance(total, int):
        more = given < total and bool(page)
    else:
        more = bool(page)
    if not more:
        return None
    return style.start + number if style.style == "page" else given
