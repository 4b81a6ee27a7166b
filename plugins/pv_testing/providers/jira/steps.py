"""An operation of several requests to Jira."""

from __future__ import annotations

from typing import Any

from pv_testing.contracts.model import OperationSpec
from pv_testing.core.errors import Conflict, NotFound
from pv_testing.core.records import Prepared
from pv_testing.providers.jira.provider import JiraProvider
from pv_testing.providers.stepped import BulkSteppedOperation


class JiraOperation(BulkSteppedOperation):
    """Brings records into effect in Jira, step by step.

    Args:
        provider: who speaks to Jira.
        spec: the contract's operation.
    """

    def __init__(self, provider: JiraProvider, spec: OperationSpec) -> None:
        super().__init__(provider.contract, spec, provider.session)
        self.jira = provider

    async def issue_of(self, item: Prepared, number: Any, *fields: str) -> dict[str, Any]:
        """Return the issue that a record is about.

        Raises:
            Conflict: it isn't there any more.
        """
        try:
            return await self.jira.issue(number, self.name, key=item.key, fields=fields or None)
        except NotFound as error:
            message = f"Jira has no issue {number} any more, or doesn't show it to this account"
            raise Conflict(message, key=item.key, code="ISSUE_GONE") from error
