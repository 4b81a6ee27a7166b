"""Files of a CAPA: uploaded, attached once, and recognised by their digest."""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

from pv_testing.core.errors import AmbiguousOutcome, Conflict, MappingError, NotFound
from pv_testing.core.records import Found, Payload, Prepared, Record, Reply, Verdict
from pv_testing.providers import ids
from pv_testing.providers.redmine.steps import RedmineOperation

BYTES = {"Content-Type": "application/octet-stream"}


class RedmineFileOperation(RedmineOperation):
    """Attaches files to issues.

    Redmine's API gives no digest of an attachment, so its description names it. A token of an upload can be used once.
    """

    def prepare(self, record: Record) -> Payload:
        """Map and validate a file.

        Raises:
            MappingError: the content isn't what its digest says.
        """
        payload = super().prepare(record)
        if hashlib.sha256(_content(payload)).hexdigest() != payload["sha256"].lower():
            raise MappingError("the file's content isn't what its sha256 says", code="CONTENT_DAMAGED")
        return {**payload, "sha256": payload["sha256"].lower()}

    async def perform(self, item: Prepared) -> Reply:
        """Upload and attach a file, unless the issue has it."""
        attached = await self._attached(item)
        if not attached:
            upload = {
                "token": await self._upload(item),
                "filename": item.payload["filename"],
                "content_type": item.payload["content_type"],
                "description": _description(item.payload),
            }
            path = f"/issues/{item.payload['issue']}.json"
            body = {"issue": {"uploads": [upload]}}
            await self.redmine.put(path, body, operation=self.name, key=item.key, repeatable=False)
            attached = await self._attached(item)
        if not attached:
            message = f"Redmine answered yes, but #{item.payload['issue']} has no {item.payload['filename']}"
            raise Conflict(message, key=item.key, code="NOT_TAKEN")
        return Reply(Verdict.OK, ids.of_reply(attached[0]["id"], item.key), body=_described(attached[0]))

    async def find(self, batch: Sequence[Prepared]) -> Mapping[str, Found]:
        """Look for the files among the attachments of their issues."""
        found: dict[str, Found] = {}
        for item in batch:
            attached = await self._attached(item)
            if attached:
                found[item.key] = Found(
                    ids.of_found(attached[0]["id"], item.key), body=_described(attached[0]), copies=len(attached)
                )
        return found

    async def _attached(self, item: Prepared) -> list[Mapping[str, Any]]:
        try:
            issue = await self.redmine.issue(item.payload["issue"], self.name, key=item.key, include="attachments")
        except NotFound as error:
            message = f"Redmine has no issue #{item.payload['issue']} any more, or doesn't show it to this user"
            raise Conflict(message, key=item.key, code="ISSUE_GONE") from error
        wanted = _description(item.payload)
        return [each for each in issue.get("attachments", ()) if each.get("description") == wanted]

    async def _upload(self, item: Prepared) -> str:
        """Return the token of an upload; Redmine cleans up one that is never attached."""
        upload = await self.redmine.ask(
            "POST",
            "/uploads.json",
            "upload",
            operation=self.name,
            key=item.key,
            params={"filename": item.payload["filename"]},
            data=_content(item.payload),
            headers=BYTES,
            repeatable=True,
        )
        token = str(upload["token"])
        if token.rpartition(".")[2] != item.payload["sha256"]:
            raise AmbiguousOutcome("Redmine received another content than was sent", key=item.key, code="DAMAGED")
        return token


def _content(payload: Payload) -> bytes:
    try:
        return base64.b64decode(payload["content"], validate=True)
    except (binascii.Error, ValueError) as error:
        raise MappingError("the file's content isn't base64", code="CONTENT_DAMAGED") from error


def _description(payload: Payload) -> str:
    return f"sha256 {payload['sha256']}"


def _described(attachment: Mapping[str, Any]) -> dict[str, Any]:
    return {"id": str(attachment["id"]), "filename": attachment.get("filename"), "size": attachment.get("filesize")}
