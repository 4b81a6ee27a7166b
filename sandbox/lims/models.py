"""The records that the LIMS accepts. Unknown, missing and wrong-typed fields are refused."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from sandbox.fields import Moment, Strict, Text
from sandbox.paging import Page

BULK_LIMIT = 500
STATUSES = ("Pending Receipt", "Received", "In Testing", "Testing Complete", "Approved")

Status = Literal["Pending Receipt", "Received", "In Testing", "Testing Complete", "Approved"]
Metadata = dict[str, Any]


class SampleIn(Strict):
    """A sample to create."""

    external_id: Text
    sample_type: Text
    project_id: Text
    customer: Text
    metadata: Metadata = Field(default_factory=dict)


class SampleChange(Strict):
    """The fields of a sample that may change."""

    customer: Text | None = None
    metadata: Metadata | None = None
    sample_type: Text | None = None


class Analyte(Strict):
    """One measured value."""

    analyte: Text
    value: int | float
    unit: Text
    uncertainty: Annotated[int | float, Field(ge=0)] | None = None
    status: Literal["PASS", "FAIL", "CONDITIONAL", "REVIEW"]


class ResultIn(Strict):
    """The results of one execution on one sample."""

    external_id: Text
    revision: int = Field(ge=1)
    test_id: Text
    test_name: Text
    test_date: Moment
    operator: Text
    results: list[Analyte] = Field(min_length=1, max_length=200)


class BulkResultIn(ResultIn):
    """A result set that names its sample."""

    sample_id: Text


class SampleStatusIn(Strict):
    """A sample's next status."""

    status: Status
    notes: str | None = None


class BulkStatusIn(SampleStatusIn):
    """A status change that names its sample."""

    id: Text


class SampleKey(Strict):
    """A sample's business key."""

    external_id: Text
    project_id: Text


class BulkSamples(Strict):
    """Samples to create; each is judged on its own."""

    samples: list[Any] = Field(min_length=1, max_length=BULK_LIMIT)


class BulkResults(Strict):
    """Result sets to create; each is judged on its own."""

    results: list[Any] = Field(min_length=1, max_length=BULK_LIMIT)


class BulkStatuses(Strict):
    """Status changes; each is judged on its own."""

    updates: list[Any] = Field(min_length=1, max_length=BULK_LIMIT)


class SampleSearch(Strict):
    """Business keys to look up."""

    keys: list[SampleKey] = Field(min_length=1, max_length=BULK_LIMIT)


class ResultSearch(Strict):
    """Execution ids to look up."""

    external_ids: list[Text] = Field(min_length=1, max_length=BULK_LIMIT)


class SampleQuery(Page):
    """Filters of the sample listing."""

    external_id: str | None = None
    project_id: str | None = None
    status: Status | None = None


class ResultQuery(Page):
    """Filters of the result listing."""

    external_id: str | None = None
    sample_id: str | None = None


class ReceiptIn(BaseModel):
    """Which samples arrive at the laboratory; one of the three."""

    model_config = ConfigDict(extra="forbid")

    project_id: str | None = None
    ids: list[str] | None = None
    all: bool = False
