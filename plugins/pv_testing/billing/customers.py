"""Customers of the framework in the ERP: known by configuration, found by name, or created where that is allowed."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from typing import Any

from pv_testing.billing import BillingPolicy
from pv_testing.core.errors import Conflict, DataError
from pv_testing.core.records import Outcome
from pv_testing.domain.reading import text
from pv_testing.domain.records import ServiceRequest
from pv_testing.exchange.report import Report
from pv_testing.integrations import erp_records
from pv_testing.integrations.erp import ERPClient
from pv_testing.integrations.framework import gather_bounded
from pv_testing.providers import ids

PLANNED = "(new)"


class Customers:
    """The ids of customers in the ERP.

    Args:
        erp: where they are.
        policy: who is known by configuration, and whether others are created.
        replay: whether a customer that waits for a person is tried again.
        dry_run: whether nothing is to be created.

    Attributes:
        report: of the customers that had to be created; ``None`` where none had.
    """

    def __init__(self, erp: ERPClient, policy: BillingPolicy, *, replay: bool = False, dry_run: bool = False) -> None:
        self._erp = erp
        self._policy = policy
        self._flags = {"replay": replay, "dry_run": dry_run}
        self._ids: dict[str, str] = {}
        self._problems: dict[str, DataError] = {}
        self.report: Report | None = None

    async def learn(self, requests: Iterable[ServiceRequest]) -> None:
        """Find out the ids of the requests' customers; those that the ERP lacks are created where that is allowed."""
        customers = {name_of(request): request.customer for request in requests}
        self._ids = {name: self._policy.customer(name).erp_id for name in customers}
        unnamed = [name for name in customers if name and not self._ids[name]]
        self._ids |= await asyncio.to_thread(self._erp.ledger.external_ids, self._erp.system, "customer", unnamed)
        unknown = [name for name in unnamed if not self._ids[name]]
        await gather_bounded([self._find(name) for name in unknown])
        missing = [name for name in unknown if not self._ids[name] and name not in self._problems]
        if missing and self._policy.create_customers:
            await self._create({name: customers[name] for name in missing})

    async def _find(self, name: str) -> None:
        try:
            in_erp = await self._erp.acustomer(name)
            self._ids[name] = ids.of_found(in_erp.get("id"), name) if in_erp else ""
        except Conflict as error:
            self._problems[name] = DataError(f"{error.message}; give erp_id in billing.yaml", code=error.code)
        except DataError as error:
            self._problems[name] = error

    async def _create(self, missing: Mapping[str, Mapping[str, Any]]) -> None:
        records = [erp_records.customer({**fields, "name": name}) for name, fields in missing.items()]
        self.report = await self._erp.aexchange("create_customer", records, **self._flags)
        for outcome in self.report.outcomes:
            if outcome.result.in_effect:
                self._ids[outcome.key] = outcome.external_id or PLANNED
            else:
                self._problems[outcome.key] = _waits(outcome)

    def id_of(self, request: ServiceRequest) -> str:
        """Return the id of a request's customer in the ERP; empty where it is unknown.

        Raises:
            DataError: the ERP has several of that name (``CUSTOMER_AMBIGUOUS``), or couldn't be given this one.
        """
        name = name_of(request)
        if name in self._problems:
            raise self._problems[name]
        return self._ids.get(name, "")


def name_of(request: ServiceRequest) -> str:
    """Return the name of a request's customer."""
    return text(request.customer.get("name"))


def _waits(outcome: Outcome) -> DataError:
    reason = f"its customer {outcome.key} isn't in the ERP yet: {outcome.reason}"
    return DataError(reason, code="CUSTOMER_UNKNOWN")
