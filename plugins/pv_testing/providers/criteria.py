"""What a listing of a provider may be asked for, and the items that have it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pv_testing.contracts.model import Contract
from pv_testing.core.errors import MappingError
from pv_testing.core.problems import allowed
from pv_testing.core.reasons import Reason


def refuse_unknown(
    contract: Contract, name: str, criteria: Mapping[str, str], known: Mapping[str, Sequence[str]]
) -> None:
    """Refuse a criterion that a listing doesn't take, rather than list too much.

    Args:
        contract: must have the listing.
        name: of the listing.
        criteria: what its items must have.
        known: the criteria that each listing takes.

    Raises:
        ConfigError: the contract doesn't have the listing.
        MappingError: a criterion is unknown.
    """
    contract.operation(name)
    for criterion in criteria:
        if criterion not in known[name]:
            message = f"{name} takes no {criterion}; {allowed(criterion, list(known[name]))}"
            raise MappingError(message, code=Reason.FIELD_UNKNOWN)


def having(items: Sequence[dict[str, Any]], criteria: Mapping[str, str], *names: str) -> list[dict[str, Any]]:
    """Return the items that have exactly the named criteria, as far as these were asked for."""
    wanted = {name: criteria[name] for name in names if name in criteria}
    return [item for item in items if all(item[name] == value for name, value in wanted.items())]
