"""A contract as the clients use it: compiled, immutable, shared by all threads."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from secrets import token_hex
from typing import TYPE_CHECKING, Any, Literal

from pv_testing.contracts.fields import FieldMap
from pv_testing.contracts.pages import Pagination
from pv_testing.contracts.paths import Getter, Putter, Template, getter
from pv_testing.contracts.request_template import NOTHING, Request, RequestTemplate, Values
from pv_testing.contracts.rows import SampleRows
from pv_testing.contracts.webhook import WebhookSpec
from pv_testing.contracts.words import Vocabulary
from pv_testing.core.errors import MappingError, ResponseError
from pv_testing.core.reasons import Reason

if TYPE_CHECKING:
    from pv_testing.contracts.bulk import Bulk
    from pv_testing.contracts.database import DatabaseSpec
    from pv_testing.contracts.files import FileDrop
    from pv_testing.contracts.imports import FileImport
    from pv_testing.contracts.list_files import ListFile
    from pv_testing.contracts.login import Login
    from pv_testing.contracts.proof import Proof
    from pv_testing.contracts.rules import Rules
    from pv_testing.contracts.wsdl import Port
    from pv_testing.core.classification import Classification, ResponseClassifier


@dataclass(frozen=True, slots=True)
class RateLimit:
    """A quota: so many ``requests`` in ``per`` seconds."""

    requests: int
    per: float


@dataclass(frozen=True, slots=True)
class Limits:
    """How much and how fast a system is spoken to.

    Attributes:
        concurrency: the most requests at a time.
        attempt_timeout: seconds for one try.
        total_timeout: seconds for one request, waits and repetitions included.
        horizon: seconds after which a look-up surely sees what a request has done.
        rate: the quota, where there is one.
        response_bytes: the largest answer that is read, decompressed.
    """

    concurrency: int = 8
    attempt_timeout: float = 30.0
    total_timeout: float = 120.0
    horizon: float = 2.0
    rate: RateLimit | None = None
    response_bytes: int = 32 * 2**20


@dataclass(frozen=True, slots=True)
class Find:
    """How records are looked up by what they were sent with.

    Attributes:
        call: the request.
        size: for how many records at a time.
        one_key: makes the look-up key of one payload, where ``size`` is more than 1.
        wrap: puts the keys into the body.
        items: finds the list of records in the answer; a single record counts as a list of one. An answer without
            either is a :class:`ResponseError`.
        pagination: how the answer comes in pages.
        sent_key: says which record a payload is; equal to ``found_key`` of what was found.
        found_key: says which record a found one is.
        lists_all: whether the answer lists what is there of others as well, because nothing in the request says which,
            or because the contract says so.
        unique: a query parameter that gets another value in each request; empty for none.
        id: finds the id in a found record.
        same: says whether a found record has all that is wanted; both are bodies with their stamps.
        equal: says whether it has that and no more, because a change may have taken something away.
        listing: the operation whose list file shows the records, where files carry them; empty for a request.
    """

    call: RequestTemplate
    size: int
    one_key: Callable[[Values], Any] | None
    wrap: Putter | None
    items: Callable[[Any], list[Values]]
    pagination: Pagination
    sent_key: Template
    found_key: Template
    lists_all: bool
    unique: str
    id: Getter
    same: Callable[[Values, Values], bool]
    equal: Callable[[Values, Values], bool]
    listing: str = ""

    def key_of_sent(self, payload: Values, context: Values = NOTHING) -> str | None:
        """Return which record a payload is, in the system's words; ``None`` where it can't be said."""
        return self.sent_key.fill({**context, **payload})

    def key_of_found(self, item: Values) -> str | None:
        """Return which record a found one is; ``None`` for somebody else's, which has no key.

        Raises:
            ResponseError: the record isn't one that this look-up asks for.
        """
        key = self.found_key.fill(item)
        if key is None and not (self.lists_all and self.found_key.has(item)):
            message = f"what the look-up found doesn't have its key, {self.found_key.text}"
            raise ResponseError(message, code=Reason.KEY_MISSING, excerpt=str(item))
        return key

    def request(self, payloads: Sequence[Values], context: Values = NOTHING) -> Request:
        """Return the request that looks up as many payloads as ``size`` allows.

        Args:
            payloads: mapped records; only one where ``size`` is 1.
            context: as in :meth:`RequestTemplate.request`, where ``size`` is 1.
        """
        request = self._request(payloads, context)
        return request._replace(params={**request.params, self.unique: token_hex(8)}) if self.unique else request

    def _request(self, payloads: Sequence[Values], context: Values) -> Request:
        if self.one_key is None:
            (payload,) = payloads
            return self._request_of_one(payload, context)
        keys = [self._key(payload) for payload in payloads]
        body: Any = keys
        if self.wrap is not None:
            body = {}
            self.wrap(body, keys)
        return self.call.of_many(body)

    def _request_of_one(self, payload: Values, context: Values) -> Request:
        """Return the request for one record, which must hold something of it."""
        known = {name: value for name, value in context.items() if value not in {None, ""}}
        params = self.call.params({**known, **payload})
        if self.call.names and not self.call.path.names and len(params) == len(self.call.constants):
            raise _not_asked_for(", ".join(self.call.names))
        path = self.call.path.url(payload, context)
        return Request(self.call.method, path, params, {} if self.call.has_body else None)

    def _key(self, payload: Values) -> Any:
        assert self.one_key is not None
        key = self.one_key(payload)
        if key is None or key == "" or (isinstance(key, dict) and not any(key.values())):
            raise _not_asked_for("keys.each")
        return key


def _not_asked_for(names: str) -> MappingError:
    message = f"the record can't be looked up: it has no value for {names}, and the answer would be about others"
    return MappingError(message, code=Reason.FIELD_MISSING)


OnChange = Literal["update", "amend", "ignore"]


@dataclass(frozen=True, slots=True)
class OperationSpec:
    """One thing that a system can do.

    Attributes:
        name: such as ``create_sample``.
        call: its request.
        kind: the kind of record that it brings into effect, such as ``sample``; empty for a plain call.
        map: our record to the system's; ``None`` sends arguments as they are.
        success: the HTTP statuses that mean yes; empty for any 2xx.
        repeatable: whether it may be sent twice without harm.
        answer: what comes back: ``json``, ``bytes`` or ``none``.
        reply_id: finds the record's id in the answer.
        says_id: whether the contract itself says where that is, so that an answer without one isn't what it says.
        pagination: how its listing comes in pages; ``None`` where it is no listing.
        item_id: finds the id of a listing's item, which may come only once; ``None`` for one that says none.
        bulk: how many records travel in one request; ``None`` where they can't.
        find: how records are looked up; ``None`` where they can't be.
        update: the request that changes a record in place; ``None`` where there is none.
        on_change: what a changed record becomes.
        look_first: whether even a record that is new to the ledger is looked up before it is sent.
        files: how it is carried by files; ``None`` where it is a request.
        list_file: the file that is its listing; ``None`` where it is a request.
    """

    name: str
    call: RequestTemplate
    kind: str = ""
    map: FieldMap | None = None
    success: frozenset[int] = frozenset()
    repeatable: bool | None = None
    answer: Literal["json", "bytes", "none"] = "json"
    reply_id: Getter = field(default=lambda _: None)
    says_id: bool = False
    pagination: Pagination | None = None
    item_id: Getter = field(default=getter("id"))
    bulk: Bulk | None = None
    find: Find | None = None
    update: RequestTemplate | None = None
    on_change: OnChange = "update"
    look_first: bool = False
    files: FileDrop | None = None
    list_file: ListFile | None = None

    def prepare(self, data: Values) -> dict[str, Any]:
        """Map and validate a record.

        Raises:
            MappingError: it can't be carried.
        """
        return dict(data) if self.map is None else self.map.out(data)


@dataclass(frozen=True, slots=True)
class Identity:
    """How a system says who is asking.

    Attributes:
        call: the request.
        who: finds the caller's name in the answer.
        known: says whether the answer means that the system knows the caller.
        field: the path that ``known`` looks at, for messages.
    """

    call: RequestTemplate
    who: Getter
    known: Callable[[Any], bool]
    field: str

    def name(self, body: Any) -> str | None:
        """Return as whom the system knows the caller, or ``None`` when it doesn't.

        Args:
            body: the decoded answer; some systems answer strangers with a success that holds nothing.
        """
        who = self.who(body)
        return str(who) if self.known(body) and who not in {None, ""} else None


@dataclass(frozen=True)
class Contract:
    """How one provider is spoken to.

    Attributes:
        name: the file's name without its ending.
        file: the file.
        digest: SHA-256 of the file.
        system: ``framework``, ``lims``, ``qms``, ``pm`` or ``erp``.
        provider: the product.
        title: what it is, in one line.
        identity: how the system says who is asking; ``None`` where it can't.
        limits: how much and how fast.
        pagination: how listings come in pages unless an operation says otherwise.
        idempotency_header: the header of the idempotency key; empty where the system honours none.
        authentication: what each way of authenticating needs here, such as ``jwt.login``.
        vocabularies: by name.
        maps: field maps by name.
        heard: the same, with what they drop on purpose in fields of its own; not to be sent.
        operations: by name.
        units: tables of the units that the system wants, by quantity.
        names: what a deployment may call otherwise, with the names in effect.
        rules: what answers mean.
        sample_rows: how the LIMS's listing of samples is read; ``None`` where there is none.
        login: how the product is logged in to; ``None`` where the contract describes no login.
        imports: the files that the system writes for us, by name.
        soap: the operations of the system's WSDL, whose names then are the paths of calls; ``None`` for REST.
        database: the tables of a database, whose statements then are the paths of calls; ``None`` for REST.
        webhook: how the system tells us of events; ``None`` where it doesn't.
        proof: what the contract was tried on; ``None`` where it doesn't say.
    """

    name: str
    file: str
    digest: str
    system: str
    provider: str
    title: str
    identity: Identity | None
    limits: Limits
    pagination: Pagination
    idempotency_header: str
    authentication: Mapping[str, Mapping[str, str]]
    vocabularies: Mapping[str, Vocabulary]
    maps: Mapping[str, FieldMap]
    operations: Mapping[str, OperationSpec]
    units: Mapping[str, Mapping[str, str]]
    names: Mapping[str, str]
    rules: Rules = field(repr=False)
    heard: Mapping[str, FieldMap] = field(default_factory=dict, repr=False)
    sample_rows: SampleRows | None = None
    login: Login | None = None
    soap: Port | None = field(default=None, repr=False)
    database: DatabaseSpec | None = field(default=None, repr=False)
    webhook: WebhookSpec | None = None
    proof: Proof | None = None
    imports: Mapping[str, FileImport] = field(default_factory=dict)

    def operation(self, name: str) -> OperationSpec:
        """Return an operation.

        Raises:
            ConfigError: the contract doesn't have it.
        """
        from pv_testing.core.errors import ConfigError
        from pv_testing.core.problems import allowed

        if name not in self.operations:
            known = list(self.operations)
            raise ConfigError(
                f"{self.file}: has no operation {name!r}; {allowed(name, known)}", code=Reason.NO_OPERATION
            )
        return self.operations[name]

    def vocabulary(self, name: str) -> Vocabulary:
        """Return a vocabulary that a step needs.

        Raises:
            ConfigError: the contract doesn't have it.
        """
        from pv_testing.core.errors import ConfigError

        if name not in self.vocabularies:
            message = f"{self.file}: vocabularies has no {name!r}, which this step needs; add the system's words for it"
            raise ConfigError(message, system=self.system, provider=self.provider)
        return self.vocabularies[name]

    def classify(self, operation: str | OperationSpec) -> ResponseClassifier:
        """Return the function that says what a response to an operation means."""
        spec = self.operation(operation) if isinstance(operation, str) else operation
        return self.rules.classify(spec)

    def classify_item(self, operation: str | OperationSpec) -> Callable[[Values], Classification]:
        """Return the function that says what one record's answer within a bulk answer means."""
        spec = self.operation(operation) if isinstance(operation, str) else operation
        return self.rules.classify_item(spec)
