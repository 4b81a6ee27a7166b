"""Faults on demand: which request gets which fault, decided by route, rate, count and seed."""

from __future__ import annotations

import fnmatch
import random
import re
import time
from dataclasses import dataclass, field
from email.utils import formatdate
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from sandbox.chance import chance
from sandbox.rewriting import Shape

Kind = Literal[
    "rate_limit",
    "error",
    "delay",
    "drop_before",
    "drop_after",
    "truncate",
    "html",
    "duplicate",
    "expired_token",
    "repeat_page",
    "ignore_filter",
    "odd_ids",
    "items_fail",
    "shuffle",
]


class FaultRule(BaseModel):
    """One rule.

    Attributes:
        route: glob on ``"METHOD /path"``, such as ``"POST /api/v2/samples*"``.
        holding: text that the request's body must hold, for systems that have one address for everything.
        kind: of the fault. ``rate_limit``: 429. ``error``: ``status``, ``when`` says whether nothing is done or all
            of the work. ``delay``: ``seconds`` of waiting, ``when`` says whether before or after the work is done; it
            is done even if the client has gone. ``drop_before`` and ``drop_after``: the connection is closed without an
            answer, before or after the work. ``truncate``: the work is done and half of the answer's body is sent.
            ``html``: the work is done and the answer is status 200 with an HTML page. ``duplicate``: the work is done
            twice, as when a network delivers a request twice. ``expired_token``: the token that came with the request
            expires first. ``repeat_page``: whatever page of a listing is asked for, the answer is page 1.
            ``ignore_filter``: a look-up is answered with the listing from its beginning. ``odd_ids``: the work is done,
            the ids in the answer have another ``shape``. ``items_fail``: the work is done, and each second item of a
            bulk answer says ``status``. ``shuffle``: the work is done, the items of a bulk answer come in an order that
            ``seed`` decides.
        rate: the share of matching requests that is hit, 0 to 1.
        times: how many requests are hit at most.
        retry_after: seconds, ``"date:5"`` for an HTTP date in five seconds, or any text sent as it stands.
        status: the status of ``error`` and ``items_fail``.
        location: where an ``error`` that is a redirect leads.
        shape: of the ids that ``odd_ids`` gives: ``number``, ``text``, ``float``, ``list``, ``long`` (6,000 characters)
            or ``taken`` (the id of the system's first record).
        seconds: the length of ``delay``.
        when: whether ``delay`` waits, or ``error`` comes, before the work or after it.
        burst: how many matching requests in a row are hit each time the rule strikes.
        seed: of the random numbers that ``rate`` and ``shuffle`` need.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    route: str = "* *"
    holding: str = ""
    kind: Kind
    rate: float = Field(default=1.0, ge=0.0, le=1.0)
    times: int | None = Field(default=None, ge=0)
    retry_after: float | str | None = None
    status: int = Field(default=500, ge=300, le=599)
    location: str = "/login"
    shape: Shape = "number"
    seconds: float = Field(default=1.0, ge=0.0, le=600.0)
    when: Literal["before", "after"] = "before"
    burst: int = Field(default=1, ge=1)
    seed: int = 0

    def retry_after_header(self) -> str | None:
        """Return the ``Retry-After`` header that the rule asks for."""
        if self.retry_after is None:
            return None
        if isinstance(self.retry_after, str):
            word, _, seconds = self.retry_after.partition("date:")
            return formatdate(time.time() + float(seconds), usegmt=True) if seconds and not word else self.retry_after
        return f"{self.retry_after:g}"


@dataclass
class ActiveRule:
    """A rule at work, with its random numbers, how many requests it hit and how many more its burst will."""

    rule: FaultRule
    hits: int = 0
    left: int = 0
    pattern: re.Pattern[str] = field(init=False)
    random: random.Random = field(init=False)

    def __post_init__(self) -> None:
        self.pattern = re.compile(fnmatch.translate(self.rule.route))
        self.random = chance(self.rule.seed)

    def strikes(self, route: str, body: bytes = b"") -> bool:
        """Say whether this request is hit, and count it."""
        if self.rule.times is not None and self.hits >= self.rule.times:
            return False
        if not self.pattern.match(route) or self.rule.holding.encode() not in body:
            return False
        if not self.left and self.random.random() < self.rule.rate:
            self.left = self.rule.burst
        if not self.left:
            return False
        self.left -= 1
        self.hits += 1
        return True


class FaultBook:
    """The rules of one system; the first one that strikes decides a request."""

    def __init__(self) -> None:
        self.active: list[ActiveRule] = []

    def replace(self, rules: list[FaultRule]) -> None:
        """Put these rules in the place of all others."""
        self.active = [ActiveRule(rule) for rule in rules]

    def choose(self, method: str, path: str, body: bytes = b"") -> FaultRule | None:
        """Return the rule that hits this request, or None."""
        if not self.active:
            return None
        route = f"{method} {path}"
        return next((active.rule for active in self.active if active.strikes(route, body)), None)

    def report(self) -> list[dict[str, object]]:
        """Return the rules with how often each struck."""
        return [{**active.rule.model_dump(), "hits": active.hits} for active in self.active]
