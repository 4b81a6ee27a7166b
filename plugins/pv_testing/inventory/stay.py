"""The stay of one service request's modules in the laboratory: which movements are due, and in which order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import date
from itertools import pairwise

from pv_testing.core import keys
from pv_testing.core.errors import DataError
from pv_testing.core.records import Outcome, Record, Result
from pv_testing.domain.reading import text
from pv_testing.domain.records import Execution, Module, ServiceRequest
from pv_testing.domain.samples import sample_key
from pv_testing.domain.status import rank
from pv_testing.inventory.movements import Movement, last_movement, movement_key, movement_record
from pv_testing.inventory.policy import STEPS, InventoryPolicy

_FIRST = {"received": Movement.RECEIVED, "stored": Movement.STORED}
_LAST = (Movement.RETURNED, Movement.SCRAPPED)


class Stay:
    """The modules of one service request.

    Args:
        request: the service request.
        policy: the laboratory's rules.
        booked: the keys of those movements that are in effect in the ERP, also of modules that it lists no longer.
        begun: the keys of those that are, or perhaps are.

    Attributes:
        steps: those that the request has reached, in their order.
    """

    def __init__(
        self, request: ServiceRequest, policy: InventoryPolicy, booked: Collection[str], begun: Collection[str]
    ) -> None:
        self.request = request
        self.steps = steps_of(request, policy)
        self._policy = policy
        self._booked = set(booked)
        self._begun = set(begun)
        self._times: Counter[str] = Counter()
        self._modules: dict[str, Module] = {}
        for module in request.modules:
            if module.serial_number:
                self._times[module.serial_number] += 1
                self._modules[module.serial_number] = module
        self._rule = policy.leaving_of(text(request.customer.get("name")))
        self._days: Mapping[str, date] = {}
        self._done: dict[str, list[Execution]] = {}

    def know(self, days: Mapping[str, date], executions: Iterable[Execution]) -> None:
        """Take in the day of each step, and the executions that have begun on the modules."""
        self._days = days
        for execution in executions:
            self._done.setdefault(execution.serial_number, []).append(execution)

    def step(self, step: str) -> tuple[list[Record], list[Outcome]]:
        """Return the records to send for a step, and the outcomes of the other modules that are as far.

        A module whose step before isn't booked yet is in neither; :meth:`notes` says so.

        Args:
            step: one of ``steps``.
        """
        records: list[Record] = []
        outcomes: list[Outcome] = []
        for serial, module in self._ready(step):
            try:
                movement = self._movement(step, serial)
            except DataError as problem:
                key = sample_key(self.request.sr_number, serial)
                outcomes.append(Outcome(key, Result.DEFERRED, code=problem.code, reason=problem.message))
                continue
            if self._has(serial, movement):
                outcomes.append(Outcome(self._key(serial, movement), Result.UNCHANGED))
            else:
                day, product = self._days[step], self._policy.product
                records.append(movement_record(self.request, module, movement, day, product, self._times[serial]))
        return records, outcomes

    def strays(self) -> list[Record]:
        """Return a record that waits for a person for each module that is booked and listed no longer.

        The record is that of its return: its whereabouts are unknown, or the number under which it goes on.
        """
        booked: set[str] = set()
        for key in self._booked:
            number, *serial_and_movement = keys.split(key)
            if number == self.request.sr_number and len(serial_and_movement) == 2:
                booked.add(serial_and_movement[0])
        unlisted = sorted(booked - self._modules.keys())
        return [self._stray(serial) for serial in unlisted if not self._has_made(STEPS[-1], serial)]

    def _stray(self, serial: str) -> Record:
        remedy = "list it again, or book in the ERP how it left and confirm this record"
        message = f"module {serial} is booked, but {self.request.sr_number} lists it no longer: {remedy}"
        key = self._key(serial, Movement.RETURNED)
        return Record(key, {"movement_key": key}, DataError(message, code="MODULE_NOT_LISTED"))

    def book(self, outcomes: Iterable[Outcome]) -> None:
        """Take in what became of movements that were sent."""
        self._booked |= {outcome.key for outcome in outcomes if outcome.result.in_effect}

    @property
    def finished(self) -> bool:
        """Whether every module whose serial number is known has made the last movement that is booked at all."""
        wanted = [step for step in STEPS if step in self._policy.states]
        if not wanted or wanted[-1] not in self.steps or self.strays():
            return False
        return all(self._has_made(wanted[-1], serial) for serial in self._modules)

    @property
    def is_settled(self) -> bool:
        """Whether nothing is to be booked before the request changes: each module has made every step so far."""
        for step in self.steps:
            if not all(self._has_made(step, serial) for serial in self._modules):
                return False
        return not self.strays()

    def notes(self) -> Iterator[str]:
        """Say which modules are left out or wait, and which left otherwise than the rules of today say."""
        number = self.request.sr_number
        unnamed = len(self.request.modules) - self._times.total()
        if unnamed and self.steps:
            yield f"{number}: {unnamed} modules have no serial number and are in no stock; enter it in the framework"
        for before, step in pairwise(self.steps):
            waiting = [serial for serial in self._modules if not self._has(serial, _FIRST[before])]
            if waiting:
                yield f"{number}: {step} waits for {before} with {_names(waiting)}"
                break
        otherwise = list(self._otherwise())
        if otherwise:
            yield f"{number}: by today's rules {_names(otherwise)} would leave otherwise; what is booked stays"

    def _ready(self, step: str) -> Iterator[tuple[str, Module]]:
        """Give the modules whose step before is booked, because a system refuses a movement out of order."""
        place = STEPS.index(step)
        for serial, module in self._modules.items():
            if not place or self._has(serial, _FIRST[STEPS[place - 1]]):
                yield serial, module

    def _has_made(self, step: str, serial: str) -> bool:
        movements = (_FIRST[step],) if step in _FIRST else _LAST
        return any(self._has(serial, movement) for movement in movements)

    def _has(self, serial: str, movement: Movement) -> bool:
        return self._key(serial, movement) in self._booked

    def _movement(self, step: str, serial: str) -> Movement:
        """Return a module's movement of a step; how it leaves is decided once."""
        if step in _FIRST:
            return _FIRST[step]
        return self._decided(serial) or last_movement(self._done.get(serial, ()), self._rule)

    def _decided(self, serial: str) -> Movement | None:
        for known in (self._booked, self._begun):
            for movement in _LAST:
                if self._key(serial, movement) in known:
                    return movement
        return None

    def _otherwise(self) -> Iterator[str]:
        for serial in self._modules if STEPS[-1] in self.steps else ():
            try:
                wanted = last_movement(self._done.get(serial, ()), self._rule)
            except DataError:
                continue
            if self._decided(serial) not in {None, wanted}:
                yield serial

    def _key(self, serial: str, movement: Movement) -> str:
        return movement_key(self.request.sr_number, serial, movement)


def steps_of(request: ServiceRequest, policy: InventoryPolicy) -> tuple[str, ...]:
    """Return the steps that a service request has reached; none in an unknown state."""
    here = rank(request.status)
    return tuple(step for step in STEPS if step in policy.states and here >= rank(policy.states[step]))


def movement_keys(request: ServiceRequest) -> list[str]:
    """Return the keys of all movements that the modules of a service request could make."""
    movements: list[str] = []
    for serial in dict.fromkeys(module.serial_number for module in request.modules if module.serial_number):
        movements += [movement_key(request.sr_number, serial, movement) for movement in Movement]
    return movements


def _names(serials: Sequence[str]) -> str:
    return serials[0] if len(serials) == 1 else f"{len(serials)} modules, the first is {serials[0]}"
