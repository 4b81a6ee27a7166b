"""What the four ways have in common for a test: who may use the LIMS, and what it holds."""

from __future__ import annotations

from typing import Any

from sandbox.products.labware.database import LabWareDatabase, Row

USER, PASSWORD = "pv_interface", "labware-secret"
DATASOURCE, ROLE = "LIMS", "PV_INTERFACE"
CLIENT_ID, CLIENT_SECRET = "pv-client", "labware-client-secret"
_KINDS = {
    "sample": "SELECT PROJECT || '/' || TEXT_ID AS key, STATUS AS status, SAMPLE_NUMBER AS id FROM SAMPLE ORDER BY id",
    "result": "SELECT EXECUTION AS key, PROJECT || '/' || TEXT_ID AS sample, TEST.REVISION AS revision, TEST_NUMBER"
    " AS id FROM TEST JOIN SAMPLE USING (SAMPLE_NUMBER) ORDER BY id",
}


class LabWareStandIn:
    """One way into the LIMS.

    Args:
        database: the LIMS's own.
        section: of ``config/integrations.yaml``.
        origin: the address without a path; empty where files or the database are the way.
    """

    def __init__(self, database: LabWareDatabase, section: dict[str, Any], origin: str = "") -> None:
        self.database = database
        self.section = {"provider": "LabWare", **section}
        self.origin = origin

    def rows(self, kind: str) -> list[Row]:
        """Return all records of a kind, each with its business key as ``key``."""
        rows = self.database.read(_KINDS[kind])
        if kind == "result":
            for row in rows:
                results = self.database.select("RESULT", {"TEST_NUMBER": row["id"]})
                row["values"] = {result["NAME"]: result["FORMATTED_RESULT"] for result in results}
        return rows

    def receive(self) -> None:
        """Receive all samples, as people do."""
        self.database.receive()

    def writes(self) -> int:
        """Return how many samples and tests have arrived."""
        return sum(self.database.read(f"SELECT count(*) AS n FROM {table}")[0]["n"] for table in ("SAMPLE", "TEST"))  # noqa: S608
