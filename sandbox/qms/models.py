"""The records that the QMS accepts. Unknown, missing and wrong-typed fields and damaged files are refused."""

from __future__ import annotations

import base64
import binascii
import hashlib
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from sandbox.fields import Day, Moment, Strict, Text
from sandbox.paging import Page

LongText = Annotated[str, Field(min_length=1, max_length=20_000)]
Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Filename = Annotated[str, Field(pattern=r"^[^/\\\x00-\x1f]{1,200}$")]
Severity = Literal["Minor", "Major", "Critical"]
Status = Literal["open", "closed"]


class Item(Strict):
    """An item with a non-conformance."""

    type: Text
    id: Text
    quantity: int = Field(ge=1)


class Causes(Strict):
    """The known causes."""

    immediate_cause: LongText
    contributing_factors: list[LongText] = Field(default_factory=list)


class NcIn(Strict):
    """A non-conformance report to create, or the new content of an open one."""

    external_id: Text
    title: Text
    description: LongText
    severity: Severity
    source: Text
    detection_date: Moment
    related_documents: list[Text] = Field(default_factory=list)
    affected_items: list[Item] = Field(min_length=1)
    root_cause_analysis: Causes
    proposed_corrective_action: LongText
    earlier_nc: Text | None = None


class ActionIn(Strict):
    """An action with its owner and its date."""

    description: LongText
    responsible: Text
    target_date: Day


class CapaIn(Strict):
    """A corrective and preventive action to create, or the new content of an open one."""

    external_id: Text
    title: Text
    problem_statement: LongText
    root_cause: LongText
    corrective_action: ActionIn
    preventive_action: ActionIn | None = None
    effectiveness_criteria: LongText | None = None
    scope: Text | None = None
    protocol_id: Text | None = None
    related_ncs: list[Text] = Field(default_factory=list)
    approved_by: Text | None = None


class FileIn(Strict):
    """A file of a CAPA: its content in base64, and the SHA-256 of the bytes."""

    filename: Filename
    content_type: Text
    content: str = Field(min_length=1)
    sha256: Digest

    def data(self) -> bytes:
        """Return the bytes of the file."""
        return base64.b64decode(self.content, validate=True)

    @model_validator(mode="after")
    def _whole(self) -> FileIn:
        try:
            data = self.data()
        except binascii.Error as error:
            raise ValueError("content is not base64") from error
        if hashlib.sha256(data).hexdigest() != self.sha256:
            raise ValueError("content and sha256 do not agree")
        return self


class EventIn(Strict):
    """One event of an audit trail; it never changes."""

    external_id: Text
    timestamp: Moment
    user: Text
    action: Text
    resource_type: Text
    resource_id: Text
    changes: dict[str, Any] | list[Any] | None = None
    ip_address: Text | None = None
    session_id: Text | None = None
    source: Text | None = None
    position: int | None = Field(default=None, ge=0)
    hash: Digest | None = None


class Closing(Strict):
    """The time of a closing; now without it."""

    closed_at: Moment | None = None


class ReportQuery(Page):
    """Which reports or CAPAs to list."""

    external_id: str | None = None
    status: Status | None = None


class EventQuery(Page):
    """Which events to list."""

    external_id: str | None = None
    source: str | None = None


def dumped(model: Strict) -> dict[str, Any]:
    """Return a model's fields but for its business key."""
    return model.model_dump(exclude={"external_id"})
