"""A provider that its contract describes completely: every operation is one request."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

from pv_testing.contracts.bulk import Bulk
from pv_testing.contracts.kinds import STATES
from pv_testing.contracts.model import Contract, Find, OperationSpec
from pv_testing.contracts.request_template import Request
from pv_testing.core.classification import ResponseClassifier
from pv_testing.core.concurrency import bounded
from pv_testing.core.errors import AuthenticationError, MappingError, ResponseError
from pv_testing.core.fingerprint import idempotency_key_of
from pv_testing.core.reasons import Reason
from pv_testing.core.records import Found, Payload, Prepared, Record, Reply, Verdict
from pv_testing.core.response import Response
from pv_testing.exchange.operation import Operation, OperationLimits
from pv_testing.providers import ids
from pv_testing.providers.known import known_by_a_read
from pv_testing.providers.replies import NO_ANSWER, NO_ID, no_id_at
from pv_testing.providers.unasked import most_looked_up, refuse_too_many, with_unclear
from pv_testing.transports import pagination
from pv_testing.transports.auth import Auth
from pv_testing.transports.rest import RestSession

if TYPE_CHECKING:
    from pv_testing.config import SystemConfig
    from pv_testing.ledger import Ledger


class RestProvider:
    """Speaks to one system as its contract says.

    Args:
        config: the system's part of the configuration.
        contract: how its product is spoken to.
        session: with the system, for the running event loop.

    Attributes:
        known_options: what the configuration may say under ``options`` of this product, with the defaults.
        ledger: where a provider may note what its next session must know.
    """

    known_options: ClassVar[Mapping[str, Any]] = {}
    ledger: Ledger

    def __init__(self, config: SystemConfig, contract: Contract, session: RestSession) -> None:
        self.config = config
        self.contract = contract
        self.session = session

    @staticmethod
    def own_auth(config: SystemConfig, on_token: Callable[[str], None] | None) -> Auth | None:
        """Return a way to say who asks that only this product has; ``None`` where the configured one is all.

        Args:
            config: the credentials.
            on_token: called with every token that is fetched.
        """
        del config, on_token
        return None

    @classmethod
    def own_session(cls, config: SystemConfig, contract: Contract) -> RestSession | None:
        """Return a session that only this product has; ``None`` where it is reached over the network as others are.

        Args:
            config: where the system is.
            contract: the deadlines and limits.
        """
        del config, contract
        return None

    def operation(self, name: str) -> Operation:
        """Return an operation for the exchange engine.

        Raises:
            ConfigError: the contract doesn't have it.
        """
        return RestOperation(self.contract, self.contract.operation(name), self.session)

    async def call(self, name: str, /, **arguments: Any) -> Any:
        """Make one call that needs no ledger, such as a read.

        Returns:
            The decoded JSON, bytes or ``None``, as the contract says.

        Raises:
            AmbiguousOutcome: a call that must not be repeated may have taken effect: its answer was lost, or was one
                that may have come after the effect.
            IntegrationError: as of :meth:`RestSession.request`.
        """
        spec = self.contract.operation(name)
        response = await self._request(spec, spec.call.request(arguments))
        if spec.answer == "json":
            return response.json()
        return response.body if spec.answer == "bytes" else None

    async def body(self, name: str, /, **arguments: Any) -> bytes:
        """Make one call and return the answer as it came, for callers to whom each digit of a number matters."""
        spec = self.contract.operation(name)
        return (await self._request(spec, spec.call.request(arguments))).body

    async def listing(self, name: str, /, **criteria: Any) -> AsyncIterator[dict[str, Any]]:
        """Give every item of a listing, page by page."""
        spec = self.contract.operation(name)
        request = spec.call.request({name: value for name, value in criteria.items() if value is not None})
        pages = spec.pagination or self.contract.pagination
        classify = self.contract.classify(spec)
        async for item in pagination.items(
            self.session, request.path, pages, request.params, item_id=spec.item_id, operation=name, classify=classify
        ):
            yield item

    async def identity(self) -> str:
        """Return as whom the system knows the caller; where it can't say, which read it gives to the caller alone.

        Raises:
            AuthenticationError: it doesn't, even where it answers other calls with an empty success.
            ConfigError: the contract doesn't say how to ask, and none of its reads tells the caller from a stranger.
        """
        identity = self.contract.identity
        if identity is None:
            return await known_by_a_read(self.contract, self.session)
        request = identity.call.request()
        how: dict[str, Any] = {"repeatable": True, "classify": self.contract.rules.classify_look_up()}
        response = await self.session.request(
            request.method, request.path, params=request.params, operation="identity", **how
        )
        who = identity.name(response.json())
        if who is None:
            raise AuthenticationError(
                f"the system answers, but as to a stranger ({identity.field}); check the credentials",
                system=self.contract.system,
                provider=self.contract.provider,
            )
        return who

    async def aclose(self) -> None:
        """Close the session."""
        await self.session.aclose()

    async def _request(self, spec: OperationSpec, request: Request) -> Response:
        return await self.session.request(
            request.method,
            request.path,
            **request.content,
            operation=spec.name,
            repeatable=spec.repeatable,
            classify=self.contract.classify(spec),
            decode=spec.answer == "json",
        )


class RestOperation:
    """One operation of a contract, as the exchange engine uses it.

    Args:
        contract: how the product is spoken to.
        spec: the operation.
        session: with the system.

    Attributes:
        stepped: whether one record takes several requests.
        at_once: whether one of them makes the record with all that it has, so that what differs wasn't made by us.
    """

    stepped: ClassVar[bool] = False
    at_once: ClassVar[bool] = True

    def __init__(self, contract: Contract, spec: OperationSpec, session: RestSession) -> None:
        self._spec = spec
        self._session = session
        self._classify = contract.classify(spec)
        # The statuses of success are those of a single creation; what changes or carries many answers otherwise.
        self._classify_other = contract.classify(replace(spec, success=frozenset()))
        self._classify_look_up = contract.rules.classify_look_up()
        self._classify_item = contract.classify_item(spec) if spec.bulk else None
        self._idempotency_header = contract.idempotency_header
        calls = [spec.call, *([spec.bulk.call] if spec.bulk else []), *([spec.update] if spec.update else [])]
        self._stamps_idempotency = any(name == "idempotency_key" for call in calls for _, name in call.stamps)
        # What can be looked up is never repeated in doubt: the next version to be sent may be another one.
        self._repeatable = bool(spec.repeatable) and spec.find is None
        self._in_place = bool(spec.update) and spec.on_change == "update"
        # Without the id, a change would be a creation once more; what may be repeated does no harm by that.
        self._needs_id = self._in_place and not self._repeatable
        self.name, self.kind = spec.name, spec.kind
        self.system, self.provider = contract.system, contract.provider
        size = spec.bulk.size if spec.bulk else 1
        self.limits = OperationLimits(
            batch_size=size,
            change_batch_size=1 if spec.update else size,
            concurrency=contract.limits.concurrency,
            timeout=contract.limits.total_timeout,
            horizon=contract.limits.horizon,
            on_change=spec.on_change,
            look_first=spec.look_first,
            repeatable=self._repeatable,
            stepped=self.stepped,
            needs_id=self._needs_id,
            changes=spec.kind in STATES,
            own_record=self.at_once and spec.kind not in STATES,
            stamped=bool(self._idempotency_header) or self._stamps_idempotency,
        )

    def prepare(self, record: Record) -> Payload:
        """Map and validate a record."""
        return self._spec.prepare(record.data)

    async def send(self, batch: Sequence[Prepared]) -> Sequence[Reply]:
        """Send a batch as one bulk request, or its only record by itself; what has no id is looked up first."""
        if len(batch) == 1:
            return [NO_ID if self.lacks_id(batch[0]) else await self._send_one(batch[0])]
        known = [item for item in batch if not self.lacks_id(item)]
        if len(known) > 1 and self._spec.bulk is not None:
            replies = iter(await self._send_bulk(known, self._spec.bulk))
        else:
            replies = iter([await self._send_one(item) for item in known])
        return [NO_ID if self.lacks_id(item) else next(replies) for item in batch]

    def lacks_id(self, item: Prepared) -> bool:
        """Whether a record that was confirmed before can't be changed, because its id is unknown.

        One that surely isn't there any more has none, and is created once more.
        """
        return self._needs_id and item.revision > 1 and not item.external_id and not item.absent

    def _confirmed(self, value: Any, body: Any, item: Prepared | None = None, *, expected: str = "") -> Reply:
        """Return the reply for a record that took effect; without the id that must be there, a look-up decides.

        Args:
            value: what stands where the contract says that the id is.
            body: the decoded answer.
            item: the record, where it was sent by itself.
            expected: the key of the contract that promises an id in this answer; empty where none does.
        """
        external_id = ids.id_text(value)
        if external_id is None:
            return Reply(Verdict.AMBIGUOUS, code=Reason.ID_UNUSABLE, reason=ids.unusable(value))
        if expected and not external_id:
            return no_id_at(expected, body)
        if self._needs_id and not external_id and not (item and item.external_id):
            return NO_ID
        return Reply(Verdict.OK, external_id, "", "", body if type(body) is dict or isinstance(body, Mapping) else {})

    async def _send_one(self, item: Prepared) -> Reply:
        changes = bool(item.external_id and self._spec.update and self._spec.on_change == "update")
        call = self._spec.update if changes and self._spec.update else self._spec.call
        request = call.request(item.payload, self._context(item))
        name = self._idempotency_header
        headers = {name: idempotency_key_of(item, self.system, self.kind)} if name else None
        classify = self._classify_other if changes else self._classify
        response = await self._exchange(request, item.key, classify, headers)
        # What else comes back is none of our business; it need not be JSON, and the record has taken effect.
        answer = response.json() if self._spec.answer == "json" else None
        # Many systems answer a change with nothing at all; then the status is all that they say.
        says_id = self._spec.says_id and not (changes and answer is None)
        return self._confirmed(self._spec.reply_id(answer), answer, item, expected="reply.id" if says_id else "")

    async def _send_bulk(self, batch: Sequence[Prepared], bulk: Bulk) -> Sequence[Reply]:
        bodies = [bulk.call.body(item.payload, self._context(item)) for item in batch]
        keys = bulk.keys(bodies)
        speaking_of = f"{batch[0].key} and {len(batch) - 1} more"
        response = await self._exchange(bulk.request(bodies), speaking_of, self._classify_other, decode=True)
        answers = bulk.matched(response.json(), keys, len(batch))
        return [NO_ANSWER if answer is None else self._reply(answer, bulk) for answer in answers]

    def _reply(self, answer: Mapping[str, Any], bulk: Bulk) -> Reply:
        assert self._classify_item is not None
        classification = self._classify_item(answer)
        if classification.verdict is Verdict.OK:
            return self._confirmed(bulk.id(answer), answer, expected="bulk.id" if bulk.says_id else "")
        in_doubt = classification.verdict is Verdict.RETRYABLE and not self._repeatable and not classification.promised
        verdict = Verdict.AMBIGUOUS if in_doubt else classification.verdict
        return Reply(verdict, reason=classification.reason, code=classification.code)

    async def find(self, batch: Sequence[Prepared]) -> Mapping[str, Found] | None:
        """Look records up by business key, as many at a time as the contract allows."""
        find = self._spec.find
        if find is None:
            return None
        groups = [batch[start : start + find.size] for start in range(0, len(batch), find.size)]

        async def look_up(group: Sequence[Prepared]) -> dict[str, Found]:
            try:
                return await self._find(group, find)
            except (MappingError, ResponseError) as error:
                known = {"system": self.system, "provider": self.provider, "operation": f"{self.name} (look-up)"}
                raise error.about(**known, key=group[0].key) from error.__cause__

        found: dict[str, Found] = {}
        for part in await bounded([look_up(group) for group in groups], self.limits.concurrency):
            found.update(part)
        return found

    async def _find(self, group: Sequence[Prepared], find: Find) -> dict[str, Found]:
        asked = {item.key: self._key_of_sent(item, find) for item in group}
        request = find.request([item.payload for item in group], self._context(group[0]))
        most = None if find.lists_all else most_looked_up(len(group))
        by_key: dict[str | None, list[Mapping[str, Any]]] = defaultdict(list)
        for item in await self._looked_up(request, find, group[0].key, most):
            by_key[find.key_of_found(item)].append(item)
        seen = list(by_key)
        found = {
            item.key: self._found(item, by_key[asked[item.key]], find) for item in group if by_key[asked[item.key]]
        }
        return found if find.lists_all else with_unclear(found, asked, seen)

    def _key_of_sent(self, item: Prepared, find: Find) -> str:
        key = find.key_of_sent(item.payload, self._context(item))
        if key is None:
            message = f"the record can't be looked up: it has no value for {find.sent_key.text}"
            raise MappingError(message, key=item.key, code=Reason.FIELD_MISSING)
        return key

    async def _looked_up(self, request: Request, find: Find, key: str, most: int | None) -> Sequence[Mapping[str, Any]]:
        """Return what a look-up finds, which can't be much more than what it asks for."""
        operation = f"{self.name} (look-up)"
        if find.pagination.style != "none" and request.body is None:
            items = pagination.items(
                self._session,
                request.path,
                find.pagination,
                request.params,
                item_id=None if self.limits.on_change == "amend" else find.id,
                operation=operation,
                key=key,
                classify=self._classify_look_up,
            )
            found: list[Mapping[str, Any]] = []
            async for item in items:
                found.append(item)
                refuse_too_many(found, most)
            return found
        response = await self._session.request(
            request.method,
            request.path,
            **request.content,
            operation=operation,
            key=key,
            repeatable=True,
            classify=self._classify_look_up,
        )
        found = find.items(response.json())
        refuse_too_many(found, most)
        return found

    def _found(self, item: Prepared, matches: Iterable[Mapping[str, Any]], find: Find) -> Found:
        """Tell copies of one version, of which there may be one, from versions, of which there may be many."""
        matches = list(matches)
        wanted = self._spec.call.body(item.payload, self._context(item))
        # A system may add to what it was sent; but what a change takes away from a record must be gone.
        as_wanted = find.equal if self._in_place and item.external_id else find.same
        same = [match for match in matches if as_wanted(match, wanted)]
        newest = (same or matches)[-1]
        external_id = ids.of_found(find.id(newest), item.key)
        if self._needs_id and not external_id:
            message = "what the look-up found has no id where find.id of the contract says, which its changes need"
            raise ResponseError(message, key=item.key, code=Reason.ID_MISSING, excerpt=str(newest))
        # An amendment is a record of its own; of what is changed in place, any second one is one too many.
        copies = len(same) if self.limits.on_change == "amend" else len(matches)
        return Found(external_id, in_effect=bool(same), body=newest, copies=max(1, copies))

    def _context(self, item: Prepared) -> dict[str, Any]:
        """Return what a request may take from a record besides its payload."""
        known = {"id": item.external_id, "key": item.key, "revision": item.revision}
        if self._stamps_idempotency:
            known["idempotency_key"] = idempotency_key_of(item, self.system, self.kind)
        return known

    def _exchange(
        self,
        request: Request,
        key: str,
        classify: ResponseClassifier,
        headers: Mapping[str, str] | None = None,
        *,
        decode: bool = False,
    ) -> Coroutine[Any, Any, Response]:
        more = request.headers
        return self._session.request(
            request.method,
            request.path,
            params=request.params,
            json=request.json,
            data=request.data,
            headers={**more, **(headers or {})} if more else headers,
            operation=self.name,
            key=key,
            repeatable=self._repeatable,
            classify=classify,
            decode=decode or self._spec.answer == "json",
        )
