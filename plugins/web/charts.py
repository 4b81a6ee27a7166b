"""The charts of findings, for the person who decides whether a CAPA is raised.

A chart is drawn from the finding in the ledger, whose digest is in the address, so that a picture never changes.
Each user who may see the question may see the chart; Airflow itself leaves the routes of plugins open to everyone.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Annotated

from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity
from airflow.api_fastapi.core_api.security import requires_access_dag
from fastapi import Depends, FastAPI, HTTPException, Path
from starlette.responses import Response

from hooks.ledger import LedgerHook
from pv_testing.core.errors import DataError, IntegrationError
from pv_testing.quality.charts import CHARTS
from pv_testing.quality.decisions import Decisions

DAG = "pv_capa"
HEADERS = {"Cache-Control": "private, max-age=86400, immutable", "X-Content-Type-Options": "nosniff"}
MOST_KEPT = 32

app = FastAPI(
    title="Charts of CAPA findings",
    dependencies=[Depends(requires_access_dag("GET", DagAccessEntity.HITL_DETAIL, DAG))],
    openapi_url=None,
)


@app.get("/{digest}/{name}")
def chart(digest: Annotated[str, Path(pattern="^[0-9a-f]{64}$")], name: str) -> Response:
    """Return a chart of a finding as PNG.

    Args:
        digest: of the finding.
        name: of the chart.

    Raises:
        HTTPException: there is no such chart, or the ledger can't be read.
    """
    if name not in CHARTS:
        raise HTTPException(404, f"there is no chart {name}; there are {', '.join(CHARTS)}")
    try:
        content = picture(digest, name)
    except DataError as error:
        raise HTTPException(404, error.message) from None
    except IntegrationError as error:
        raise HTTPException(503, str(error)) from None
    return Response(content, media_type="image/png", headers=HEADERS)


@lru_cache(MOST_KEPT)
def picture(digest: str, name: str) -> bytes:
    """Draw a chart of a finding in the ledger.

    Args:
        digest: of the finding.
        name: of the chart.

    Raises:
        DataError: the ledger doesn't have the finding as it was.
        LedgerError: the ledger can't be read.
    """
    with LedgerHook().get_conn() as ledger:
        finding = Decisions(ledger).finding(digest)
    return CHARTS[name](finding)
