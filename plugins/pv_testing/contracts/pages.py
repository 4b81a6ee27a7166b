"""How a system hands out a listing: the four ways that there are, and all at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Pagination:
    """How a listing comes in pages.

    Attributes:
        style: ``page`` counts pages, ``offset`` items; ``cursor`` hands on a token or an address from the body,
            ``link`` an address from the ``Link`` header; ``none`` answers all at once.
        page: the query parameter that says which page, offset or cursor.
        size: the query parameter that says how many items; empty where there is none.
        page_size: how many items to ask for.
        start: the number of the first page.
        items: where the items are in the body.
        total: where the body says how many items there are in all; empty where it doesn't.
        pages: where it says how many pages; empty where it doesn't.
        more: where it says whether another page follows; empty where it doesn't.
        next: where it says the next cursor or address.
        id: where an item says its id.
        most: pages after which the listing is given up.
        most_bytes: the same for all pages together.
    """

    style: Literal["page", "offset", "cursor", "link", "none"] = "none"
    page: str = "page"
    size: str = ""
    page_size: int = 100
    start: int = 1
    items: str = ""
    total: str = ""
    pages: str = ""
    more: str = ""
    next: str = ""
    id: str = "id"
    most: int = 10_000
    most_bytes: int = 2**29
