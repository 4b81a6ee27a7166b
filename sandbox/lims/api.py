"""The LIMS's REST API, under ``/api/v2``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, TypeVar

from fastapi import Depends, Query, Request
from pydantic import BaseModel, TypeAdapter, ValidationError
from starlette.responses import Response

from sandbox.auth import Principal, require
from sandbox.bulk import invalid, refusal
from sandbox.lims import models
from sandbox.lims.idempotency import once
from sandbox.lims.records import LimsRecords, number_of, result_id, result_view, sample_id, sample_view
from sandbox.paging import listing
from sandbox.problems import HttpProblem, not_found, reply
from sandbox.routes import api_router, records_of
from sandbox.times import now

router = api_router("/api/v2")
Item = TypeVar("Item", bound=BaseModel)

_SAMPLES = TypeAdapter(list[models.SampleIn])
_RESULTS = TypeAdapter(list[models.BulkResultIn])
_STATUSES = TypeAdapter(list[models.BulkStatusIn])


Rec = Annotated[LimsRecords, Depends(records_of)]
Reader = Annotated[Principal, Depends(require("read:samples"))]
Writer = Annotated[Principal, Depends(require("write:samples"))]
Analyst = Annotated[Principal, Depends(require("write:results"))]


@router.post("/samples")
async def create_sample(sample: models.SampleIn, records: Rec, _: Writer, request: Request) -> Response:
    """Create a sample."""

    def work() -> tuple[int, Any]:
        number = records.create_samples([sample])[0]
        return 201, sample_view(records.sample(sample_id(number)))

    return once(records, request, sample, work)


@router.post("/samples/bulk")
async def create_samples(bulk: models.BulkSamples, records: Rec, _: Writer, request: Request) -> Response:
    """Create up to 500 samples; each succeeds or fails on its own."""

    def work() -> tuple[int, Any]:
        answers: list[Any] = [None] * len(bulk.samples)
        good = _valid(_SAMPLES, models.SampleIn, bulk.samples, answers)
        with records.store.transaction():
            numbers = records.create_samples([sample for _, sample in good])
        for (place, sample), number in zip(good, numbers, strict=True):
            answers[place] = {
                "status": 201,
                "id": sample_id(number),
                "external_id": sample.external_id,
                "project_id": sample.project_id,
            }
        return 200, {"results": answers}

    return once(records, request, bulk, work)


@router.post("/samples/search")
async def search_samples(search: models.SampleSearch, records: Rec, _: Reader) -> Response:
    """Find samples by business key."""
    return reply({"data": [sample_view(row) for row in records.find_samples(search.keys)]})


@router.post("/samples/status/bulk")
async def move_samples(bulk: models.BulkStatuses, records: Rec, who: Writer) -> Response:
    """Move up to 500 samples to a status; each succeeds or fails on its own."""
    answers: list[Any] = [None] * len(bulk.updates)
    with records.store.transaction():
        for place, update in _valid(_STATUSES, models.BulkStatusIn, bulk.updates, answers):
            try:
                records.move(update.id, update, who.name)
                answers[place] = {"status": 200, "id": update.id}
            except HttpProblem as problem:
                answers[place] = refusal(problem, bulk.updates[place])
    return reply({"results": answers})


@router.get("/samples")
async def list_samples(query: Annotated[models.SampleQuery, Query()], records: Rec, _: Reader) -> Response:
    """List samples."""
    conditions = [
        ("external_id = ?", query.external_id),
        ("project_id = ?", query.project_id),
        ("status = ?", query.status),
        ("created_at <= ?", records.visible()),
    ]
    return reply(listing(records.store, "*", "samples", conditions, query, sample_view))


@router.get("/samples/{identity}")
async def read_sample(identity: str, records: Rec, _: Reader) -> Response:
    """Return a sample."""
    return reply(sample_view(records.sample(identity)))


@router.patch("/samples/{identity}")
async def change_sample(identity: str, change: models.SampleChange, records: Rec, _: Writer) -> Response:
    """Change a sample."""
    records.change_sample(identity, change)
    return reply(sample_view(records.sample(identity)))


@router.put("/samples/{identity}/status")
async def move_sample(identity: str, change: models.SampleStatusIn, records: Rec, who: Writer) -> Response:
    """Move a sample to its next status."""
    with records.store.transaction():
        records.move(identity, change, who.name)
    return reply(sample_view(records.sample(identity)))


@router.post("/samples/{identity}/results")
async def create_result(identity: str, body: models.ResultIn, records: Rec, _: Analyst, request: Request) -> Response:
    """Take in the results of one execution."""
    result = models.BulkResultIn(sample_id=identity, **dict(body))

    def work() -> tuple[int, Any]:
        records.check_result(result)
        number = records.create_results([result])[0]
        return 201, _created(result, number)

    return once(records, request, body, work)


@router.post("/results/bulk")
async def create_results(bulk: models.BulkResults, records: Rec, _: Analyst, request: Request) -> Response:
    """Take in up to 500 result sets; each succeeds or fails on its own."""

    def work() -> tuple[int, Any]:
        answers: list[Any] = [None] * len(bulk.results)
        with records.store.transaction():
            for place, result in _valid(_RESULTS, models.BulkResultIn, bulk.results, answers):
                try:
                    records.check_result(result)
                    answers[place] = {"status": 201, **_created(result, records.create_results([result])[0])}
                except HttpProblem as problem:
                    answers[place] = refusal(problem, bulk.results[place])
        return 200, {"results": answers}

    return once(records, request, bulk, work)


@router.get("/results")
async def list_results(query: Annotated[models.ResultQuery, Query()], records: Rec, _: Reader) -> Response:
    """List result sets."""
    sample = number_of(query.sample_id, "LIM", "Sample") if query.sample_id else None
    conditions = [
        ("external_id = ?", query.external_id),
        ("sample = ?", sample),
        ("created_at <= ?", records.visible()),
    ]
    return reply(listing(records.store, "*", "results", conditions, query, result_view))


@router.post("/results/search")
async def search_results(search: models.ResultSearch, records: Rec, _: Reader) -> Response:
    """Find result sets by execution."""
    return reply({"data": [result_view(row) for row in records.find_results(search.external_ids)]})


@router.post("/samples/{identity}/certificate")
async def request_certificate(identity: str, records: Rec, _: Writer) -> Response:
    """Start the making of a certificate of analysis."""
    row = records.sample(identity)
    if row["status"] != models.STATUSES[-1]:
        raise HttpProblem(
            409, "NOT_APPROVED", f"Sample {identity} is {row['status']}; a certificate needs {models.STATUSES[-1]}"
        )
    number = int(records.store.value("SELECT coalesce(max(number), 0) + 1 FROM certificates"))
    records.store.execute("INSERT INTO certificates VALUES (?,?,?)", (number, row["number"], now()))
    return reply({"certificate_id": f"COA-{number:06d}", "sample_id": identity, "status": "GENERATING"}, 202)


@router.get("/certificates/{identity}")
async def read_certificate(identity: str, records: Rec, _: Reader) -> Response:
    """Return a certificate's state; it is complete by the time anyone asks."""
    row = _certificate(records, identity)
    return reply(
        {
            "certificate_id": identity,
            "sample_id": sample_id(row["sample"]),
            "status": "COMPLETE",
            "created_at": row["created_at"],
            "download_url": f"/api/v2/certificates/{identity}/download",
        }
    )


@router.get("/certificates/{identity}/download")
async def download_certificate(identity: str, records: Rec, _: Reader) -> Response:
    """Return a certificate as a PDF file."""
    row = _certificate(records, identity)
    text = f"%PDF-1.4\n% Certificate of analysis {identity} of sample {sample_id(row['sample'])}\n%%EOF\n"
    headers = {"Content-Disposition": f'attachment; filename="{identity}.pdf"'}
    return Response(text.encode(), 200, headers, "application/pdf")


def _certificate(records: LimsRecords, identity: str) -> Any:
    number = number_of(identity, "COA", "Certificate")
    row = records.store.row("SELECT * FROM certificates WHERE number = ?", (number,))
    if row is None:
        raise not_found("Certificate", identity)
    return row


def _created(result: models.BulkResultIn, number: int) -> dict[str, Any]:
    return {
        "id": result_id(number),
        "sample_id": result.sample_id,
        "external_id": result.external_id,
        "revision": result.revision,
    }


def _valid(
    all_of: TypeAdapter[list[Item]], one: type[Item], items: Sequence[Any], answers: list[Any]
) -> list[tuple[int, Item]]:
    """Return the valid items with their places, and answer the others; one pass when all are valid."""
    try:
        return list(enumerate(all_of.validate_python(items)))
    except ValidationError:
        pass
    good = []
    for place, item in enumerate(items):
        try:
            good.append((place, one.model_validate(item)))
        except ValidationError as error:
            answers[place] = refusal(invalid(error), item)
    return good
