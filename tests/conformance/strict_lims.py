"""A LIMS that is as strict as products are, and a provider that reads its listings in the project's words."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, ClassVar

from pv_testing.providers.rest import RestProvider
from tests.conformance.faulty_lims import STATUSES, FaultyLims, Row

REFUSED = 409


class StrictLims(FaultyLims):
    """Takes results of received samples only, each quantity of a sample once, and a sample's customer never anew."""

    def answer(self, method: str, path: list[str], query: Row, body: Any) -> tuple[int, Any]:
        """Return status and body of an answer."""
        reason = self.refusal(method, path, body)
        if reason:
            return REFUSED, {"error": {"code": "CONFLICT", "message": reason}}
        return super().answer(method, path, query, body)

    def refusal(self, method: str, path: list[str], body: Any) -> str:
        """Say why a request is refused; nothing where it isn't."""
        by_id = {row["id"]: row for row in self.samples}
        match method, path:
            case "PATCH", ["samples", identity] if identity in by_id:
                return "" if body["customer"] == by_id[identity]["customer"] else "the customer stays"
            case "POST", ["samples", identity, "results"] if identity in by_id:
                return self.occupied([{**body, "sample_id": identity}], by_id)
            case "POST", ["results", "bulk"]:
                return self.occupied(body["results"], by_id)
        return ""

    def occupied(self, results: list[Row], samples: dict[str, Row]) -> str:
        """Say which sample can't take one of some results."""
        held = {
            (row["sample_id"], row["test_id"], each["analyte"]): row for row in self.results for each in row["results"]
        }
        for row in results:
            if samples[row["sample_id"]]["status"] == STATUSES[0]:
                return f"{row['sample_id']} isn't received"
            for each in row["results"]:
                there = held.setdefault((row["sample_id"], row["test_id"], each["analyte"]), row)
                if there["external_id"] != row["external_id"]:
                    return f"{each['analyte']} of {row['sample_id']} is there already"
        return ""


class OwnWords(RestProvider):
    """Lists samples with code of its own, which goes wrong where a test says.

    Attributes:
        fault: what it does wrong; empty for nothing.
    """

    fault: ClassVar[str] = ""

    async def listing(self, name: str, /, **criteria: Any) -> AsyncIterator[Row]:
        """Give every item of a listing."""
        place = 0
        async for row in super().listing(name, **criteria):
            place += 1
            if name == "get_results":
                yield {"analysis": row["id"]}
            elif self.fault == "loses keys":
                yield {**row, "external_id": ""}
            elif self.fault != "gives the first page" or place <= self.contract.pagination.page_size:
                yield row
