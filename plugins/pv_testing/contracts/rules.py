"""What a system's responses mean, by the contract's own rules and then by HTTP.

Some systems answer a refusal with 200, a permanent no with 500, or a 500 after the commit; a rule says so as data.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import orjson

from pv_testing.contracts.paths import Getter, getter
from pv_testing.core.errors import (
    AuthenticationError,
    Conflict,
    IntegrationError,
    NotFound,
    PermissionDenied,
    Rejected,
    ResponseError,
    redact,
)
from pv_testing.core.reasons import Reason
from pv_testing.core.records import Verdict

if TYPE_CHECKING:
    from pv_testing.contracts.model import OperationSpec
    from pv_testing.core.classification import Classification, ResponseClassifier
    from pv_testing.core.response import Response

VERDICTS: Mapping[str, tuple[Verdict, type[IntegrationError] | None]] = {
    "ok": (Verdict.OK, None),
    "rejected": (Verdict.REJECTED, Rejected),
    "not_found": (Verdict.REJECTED, NotFound),
    "conflict": (Verdict.REJECTED, Conflict),
    "authentication": (Verdict.REJECTED, AuthenticationError),
    "permission": (Verdict.REJECTED, PermissionDenied),
    "retryable": (Verdict.RETRYABLE, None),
    "ambiguous": (Verdict.AMBIGUOUS, None),
}
_ANY: Any = object()


@dataclass(frozen=True, slots=True)
class ResponseRule:
    """One rule; all of its conditions must be met.

    Attributes:
        verdict: what the response means then.
        statuses: the HTTP statuses that it is about.
        operations: the operations that it is about; empty for all.
        contains: text that the body must contain; empty for any.
        headers: headers that must be there, with their values in small letters; an empty value stands for any.
        at: finds what ``equals`` or ``exists`` speak of; ``None`` for no such condition.
        equals: what must be there.
        exists: whether something must be there, where ``equals`` says nothing.
        code: the reason code; empty for the system's own.
        reason: the reason in words; empty for the system's own.
        alone: whether only this request waits where the system asks to be left alone.
    """

    verdict: str
    statuses: range | frozenset[int]
    operations: frozenset[str] = frozenset()
    contains: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    at: Getter | None = None
    equals: Any = _ANY
    exists: bool = True
    code: str = ""
    reason: str = ""
    alone: bool = False

    def meets(self, response: Response) -> bool:
        """Say whether a response meets the conditions."""
        if response.status not in self.statuses:
            return False
        if self.contains and self.contains.encode() not in response.body:
            return False
        if self.headers and not self._has_headers(response):
            return False
        if self.at is None:
            return True
        value = self.at(_decoded(response))
        if self.equals is not _ANY:
            return bool(value == self.equals) and isinstance(value, bool) == isinstance(self.equals, bool)
        return (value not in (None, "", [], {})) is self.exists

    def _has_headers(self, response: Response) -> bool:
        there = {name.casefold(): value.strip().casefold() for name, value in response.headers.items()}
        return all(name in there and value in {"", there[name]} for name, value in self.headers.items())


@dataclass(frozen=True, slots=True)
class Rules:
    """All rules of a contract, and where the system says why.

    Attributes:
        rules: the first that is met decides.
        code: finds the system's reason code.
        reasons: find the parts of the reason in words.
        not_processed: the HTTP statuses with which the system promises that it has done nothing.
    """

    rules: Sequence[ResponseRule]
    code: Getter
    reasons: Sequence[Getter]
    not_processed: frozenset[int] = frozenset()

    def classify(self, spec: OperationSpec) -> ResponseClassifier:
        """Return the classifier of an operation's responses."""
        mine = [rule for rule in self.rules if not rule.operations or spec.name in rule.operations]
        return self._classify(mine, spec.success)

    def classify_look_up(self) -> ResponseClassifier:
        """Return the classifier of look-ups; rules about some operations are about these operations' own answers."""
        classify = self._classify([rule for rule in self.rules if not rule.operations], frozenset())

        def judged(response: Response, repeatable: bool) -> Classification:  # noqa: FBT001 - the shape of every classifier
            classification = classify(response, repeatable)
            # What only reads has no effect to be unclear about.
            if classification.verdict is not Verdict.AMBIGUOUS:
                return classification
            return classification._replace(verdict=Verdict.RETRYABLE)

        return judged

    def _classify(self, mine: Sequence[ResponseRule], success: Collection[int]) -> ResponseClassifier:
        from pv_testing.core.classification import OK, Classification, classify_http

        def judged(response: Response, repeatable: bool) -> Classification:  # noqa: FBT001 - the shape of every classifier
            for rule in mine:
                if rule.meets(response):
                    return self._by_rule(rule, response)
            if not 200 <= response.status < 300:
                classification = classify_http(response, repeatable)
                code, reason = self.explain(_decoded(response))
                promised = response.status in self.not_processed
                return classification._replace(
                    code=code or classification.code, reason=reason or classification.reason, promised=promised
                )
            if success and response.status not in success:
                reason = f"the system answered {response.status}, which the contract doesn't foresee"
                return Classification(Verdict.AMBIGUOUS, f"HTTP_{response.status}", reason)
            return OK

        return judged

    def classify_item(self, spec: OperationSpec) -> Callable[[Mapping[str, Any]], Classification]:
        """Return the classifier of single answers within an operation's bulk answers."""
        from pv_testing.core.classification import OK, Classification
        from pv_testing.core.response import Response

        classify = self.classify(spec)
        status_of = spec.bulk.status if spec.bulk else None
        about_success = any(200 in rule.statuses or 201 in rule.statuses for rule in self.rules)

        def judged(item: Mapping[str, Any]) -> Classification:
            status = status_of(item) if status_of else 200
            if not isinstance(status, int):
                return Classification(
                    Verdict.AMBIGUOUS, Reason.NO_STATUS, "the system doesn't say what became of the record"
                )
            if not about_success and 200 <= status < 300:
                return OK
            return classify(Response(status, {}, orjson.dumps(item)), False)  # noqa: FBT003

        return judged

    def explain(self, body: Any) -> tuple[str, str]:
        """Return the reason code and the reason in words that a body gives, each empty where it gives none."""
        code = self.code(body)
        parts = [_words(get(body)) for get in self.reasons]
        reason = redact("; ".join(filter(None, parts)))
        return redact(str(code)) if isinstance(code, (str, int)) else "", reason

    def _by_rule(self, rule: ResponseRule, response: Response) -> Classification:
        from pv_testing.core.classification import OK, Classification

        verdict, error = VERDICTS[rule.verdict]
        if verdict is Verdict.OK:
            return OK
        code, reason = self.explain(_decoded(response))
        code = rule.code or code or f"HTTP_{response.status}"
        reason = rule.reason or reason or response.explain()
        return Classification(verdict, code, reason, error, promised=True, alone=rule.alone)


def _decoded(response: Response) -> Any:
    try:
        return response.json()
    except ResponseError:
        return None


def _words(value: Any) -> str:
    """Return what a system says as one line: text as it is, a list joined, a mapping as ``name: value``."""
    if isinstance(value, Mapping):
        if set(value) == {"field", "message"}:
            return f"{value['field']}: {value['message']}"
        return "; ".join(f"{name}: {_words(inner)}" for name, inner in value.items())
    if isinstance(value, list):
        return "; ".join(filter(None, map(_words, value)))
    return "" if value is None else str(value)


def _unfolding(path: str) -> Getter:
    """Return a function that follows a dotted path, also through texts that hold JSON, as Frappe's messages do."""
    steps = [getter(part) for part in path.split(".")]

    def get(body: Any) -> Any:
        for step in steps:
            body = step(_unfolded(body))
        return body

    return get


def _unfolded(value: Any) -> Any:
    if not isinstance(value, str) or value[:1] not in {"[", "{"}:
        return value
    try:
        return orjson.loads(value)
    except orjson.JSONDecodeError:
        return value


def statuses(written: Any) -> range | frozenset[int]:
    """Return the statuses that a rule is about: a number, a list of numbers, ``5xx``, ``500-502``, or all."""
    if written is None:
        return range(100, 600)
    if isinstance(written, int):
        return frozenset({written})
    if isinstance(written, list):
        return frozenset(written)
    if written.endswith("xx"):
        hundred = int(written[0]) * 100
        return range(hundred, hundred + 100)
    low, _, high = written.partition("-")
    return range(int(low), int(high or low) + 1)


def compile_rules(written: Mapping[str, Any]) -> Rules:
    """Compile a contract's section ``errors``."""
    reasons = written.get("reason", [])
    return Rules(
        rules=tuple(compile_rule(rule) for rule in written.get("rules", [])),
        code=getter(written["code"]) if "code" in written else lambda _: None,
        reasons=tuple(_unfolding(path) for path in ([reasons] if isinstance(reasons, str) else reasons)),
        not_processed=frozenset(written.get("not_processed", ())),
    )


def compile_rule(written: Mapping[str, Any]) -> ResponseRule:
    """Compile one rule."""
    return ResponseRule(
        verdict=written["verdict"],
        statuses=statuses(written.get("status")),
        operations=frozenset(written.get("operations", ())),
        contains=written.get("contains", ""),
        headers={name.casefold(): value.strip().casefold() for name, value in written.get("header", {}).items()},
        at=getter(written["at"]) if "at" in written else None,
        equals=written.get("equals", _ANY),
        exists=written.get("exists", True),
        code=written.get("code", ""),
        reason=written.get("reason", ""),
        alone=written.get("waits") == "request",
    )
