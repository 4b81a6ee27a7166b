"""Listings page by page, in the four ways that systems offer, with an end to every loop."""

from __future__ import annotations

import hashlib
import re
from collections.abc import AsyncIterator, Callable, Mapping
from typing import TYPE_CHECKING, Any

from yarl import URL

from pv_testing.contracts.pages import Pagination
from pv_testing.core.errors import PaginationLoop, ResponseError
from pv_testing.core.reasons import Reason
from pv_testing.core.response import Response

if TYPE_CHECKING:
    from pv_testing.transports.rest import RestSession

_LINK = re.compile(r'<([^>]*)>((?:\s*;\s*[^=;,\s]+\s*=\s*(?:"[^"]*"|[^",;\s]*))*)')
_PARAMETER = re.compile(r';\s*([^=;,\s]+)\s*=\s*(?:"([^"]*)"|([^",;\s]*))')
_ADDRESS = re.compile(r"https?://|/.*\?", re.IGNORECASE)


async def items(
    session: RestSession,
    path: str,
    pages: Pagination,
    params: Mapping[str, Any] | None = None,
    *,
    item_id: Callable[[Any], Any] | None = None,
    **request: Any,
) -> AsyncIterator[dict[str, Any]]:
    """Give every item of a listing.

    Args:
        session: with the system.
        path: of the listing.
        pages: how the system hands it out.
        params: the query's other parameters.
        item_id: finds the id of an item, which may come only once: a listing whose order changes while it is read
            gives one twice and leaves out another.
        request: anything else that :meth:`RestSession.request` takes.

    Raises:
        PaginationLoop: the same page came twice, there is no end, or it is larger than ``pages.most_bytes``.
        ResponseError: an answer has no list where one should be, or an id came twice.
    """
    seen: set[bytes] = set()
    ids: set[str] = set()
    given = size = 0
    address, query = path, {**(params or {}), **_first(pages)}
    for number in range(1, pages.most + 1):
        response = await session.request("GET", address, params=query, **request)
        page = _page(response, pages)
        _refuse_repetition(page, seen, number)
        size += len(response.body)
        if size > pages.most_bytes:
            message = (
                f"the listing is larger than {pages.most_bytes:,} bytes after {number:,} pages; ask for less of it"
            )
            raise PaginationLoop(message, code=Reason.LISTING_TOO_LARGE)
        for item in page:
            if item_id is not None:
                _refuse_second(item_id(item), ids, number)
            yield item
        given += len(page)
        following = _following(response, page, pages, number, given)
        if following is None:
            return
        if pages.style == "link" or _ADDRESS.match(str(following)):
            address, query = _joined(response, str(following)), {}
        else:
            query[pages.page] = following
    raise PaginationLoop(f"the listing has no end: {pages.most:,} pages were read")


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


def dig(value: Any, path: str) -> Any:
    """Return what a dotted path leads to, or ``None``; an empty path is the whole.

    A name may have dots of its own, as ``@odata.nextLink`` has.
    """
    if isinstance(value, Mapping) and path in value:
        return value[path]
    for name in path.split(".") if path else ():
        value = value.get(name) if isinstance(value, Mapping) else None
    return value


def _first(pages: Pagination) -> dict[str, Any]:
    size = {pages.size: pages.page_size} if pages.size and pages.style != "none" else {}
    start: dict[str, dict[str, Any]] = {"page": {pages.page: pages.start}, "offset": {pages.page: 0}}
    return {**size, **start.get(pages.style, {})}


def _page(response: Response, pages: Pagination) -> list[dict[str, Any]]:
    page = dig(response.json(), pages.items)
    if not isinstance(page, list):
        raise ResponseError(f"the answer has no list at {pages.items or 'its top'}", excerpt=response.text)
    return page


def _refuse_repetition(page: list[Any], seen: set[bytes], number: int) -> None:
    digest = hashlib.blake2b(repr(page).encode(), digest_size=16).digest()
    if page and digest in seen:
        raise PaginationLoop(f"page {number} of the listing is one that came before; nothing of it can be relied on")
    seen.add(digest)


def _refuse_second(item_id: Any, ids: set[str], number: int) -> None:
    if item_id is None or item_id == "":
        return
    text = str(item_id)
    if text in ids:
        message = (
            f"page {number} of the listing has the id {text[:100]} once more; its order changes, so that others may be "
            "missing: nothing of it is used"
        )
        raise ResponseError(message, code=Reason.LISTED_TWICE)
    ids.add(text)


def _following(response: Response, page: list[Any], pages: Pagination, number: int, given: int) -> Any:
    """Return page number, offset, cursor or address of what comes next; ``None`` at the end."""
    if pages.style == "none":
        return None
    if pages.style == "link":
        return _next_link(response.headers.get("Link", ""))
    body = response.json()
    if pages.style == "cursor":
        return dig(body, pages.next) or None
    if not _more(body, page, pages, number, given):
        return None
    return pages.start + number if pages.style == "page" else given


def _more(body: Any, page: list[Any], pages: Pagination, number: int, given: int) -> bool:
    """Say whether another page follows: by the answer's own word, else until a page is empty."""
    more, most, total = (dig(body, path) if path else None for path in (pages.more, pages.pages, pages.total))
    if more is not None:
        follows = bool(more) and str(more).casefold() != "false"
        if follows and not page:
            raise PaginationLoop(f"page {number} of the listing is empty, and the answer says that another one follows")
        return follows
    if isinstance(most, int):
        return number < most
    return bool(page) and not (isinstance(total, int) and given >= total)
