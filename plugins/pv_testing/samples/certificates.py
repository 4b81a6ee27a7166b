"""Certificates of approved samples: asked for once, followed until the LIMS has made them, and filed.

No LIMS that we speak to lets a certificate be looked up by its sample. Therefore the intent is in the ledger before the
request: where its answer is lost, nothing is asked for again before a person says so, by a replay.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Mapping
from hashlib import sha256
from typing import TYPE_CHECKING, Any, NamedTuple

from pv_testing.core import keys
from pv_testing.core.errors import Action, DataError, IntegrationError
from pv_testing.core.reasons import Reason
from pv_testing.ledger import State
from pv_testing.transports.files.store import FileStore

if TYPE_CHECKING:
    from pv_testing.integrations import LIMSClient

FOLDER = "certificates"
NOTHING: dict[str, Any] = {}
FAILED = frozenset({"failed", "rejected", "cancelled", "error"})
FINISHED = frozenset({"complete", "completed", "ready", "issued", "published"})
LOST = "a certificate was asked for and the answer was lost: look for it in the LIMS; a replay asks for another one"

log = logging.getLogger(__name__)


class Certificate(NamedTuple):
    """A certificate that was asked for.

    Attributes:
        key: the sample's business key.
        sample_id: the sample's id in the LIMS.
        id: the certificate's id in the LIMS.
        filed: under which name it is filed; empty where it isn't yet.
    """

    key: str
    sample_id: str
    id: str
    filed: str = ""


async def request_certificates(
    lims: LIMSClient, sr_numbers: Iterable[str], *, replay: bool = False
) -> list[Certificate]:
    """Ask for the certificate of each sample of some service requests that has none yet.

    Args:
        lims: where the samples are.
        sr_numbers: numbers of approved service requests.
        replay: ask once more where an answer was lost.

    Returns:
        All certificates of these samples, asked for now or before.

    Raises:
        DataError: an answer was lost (``CERTIFICATE_IN_DOUBT``).
        Rejected: the LIMS refuses, such as a sample that isn't approved there.
    """
    samples = [sample for number in sr_numbers for sample in await asyncio.to_thread(_samples, lims, number)]
    return [await _requested(lims, key, sample_id, replay=replay) for key, sample_id in samples]


def _samples(lims: LIMSClient, sr_number: str) -> list[tuple[str, str]]:
    entries = lims.ledger.entries("lims", "sample", states=[State.CONFIRMED], prefix=f"{keys.compose(sr_number)}/")
    return [(entry.key, entry.external_id) for entry in entries if entry.external_id]


async def _requested(lims: LIMSClient, key: str, sample_id: str, *, replay: bool) -> Certificate:
    kept = await asyncio.to_thread(_kept, lims, sample_id)
    if kept.get("id"):
        return Certificate(key, sample_id, kept["id"], kept.get("filed", ""))
    if kept and not replay:
        raise DataError(LOST, system="lims", key=key, code=Reason.CERTIFICATE_IN_DOUBT)
    await asyncio.to_thread(_keep, lims, sample_id, {"asked": True})
    try:
        answer = await lims.acall("request_certificate", sample_id=sample_id)
    except IntegrationError as error:
        if error.action is not Action.RESOLVE:
            await asyncio.to_thread(_keep, lims, sample_id, {})
        raise
    certificate = Certificate(key, sample_id, str(answer["certificate_id"]))
    await asyncio.to_thread(_keep, lims, sample_id, {"id": certificate.id})
    log.info("%s: the certificate %s is asked for", key, certificate.id)
    return certificate


async def unfinished(lims: LIMSClient, ids: Iterable[str]) -> list[str]:
    """Return the certificates that the LIMS hasn't made yet.

    Args:
        lims: where they are.
        ids: their ids there.

    Raises:
        DataError: the LIMS has given one up (``CERTIFICATE_FAILED``).
    """
    waiting = []
    for each in ids:
        answer = await lims.acall("get_certificate", certificate_id=each)
        status = str(answer.get("status") or "").strip().casefold()
        if status in FAILED:
            message = f"the LIMS says {status!r} of the certificate {each}; have it made there"
            raise DataError(message, system="lims", key=each, code=Reason.CERTIFICATE_FAILED)
        if status not in FINISHED:
            waiting.append(each)
    return waiting


async def file_certificates(lims: LIMSClient, certificates: Iterable[Certificate], store: FileStore) -> list[str]:
    """File finished certificates, each once, and note their SHA-256 in the audit trail.

    Args:
        lims: where they are.
        certificates: which.
        store: where they are filed, in the folder ``certificates``.

    Returns:
        The names of the files.
    """
    names = []
    for each in certificates:
        name = each.filed or await _filed(lims, each, store)
        names.append(name)
    return names


async def _filed(lims: LIMSClient, certificate: Certificate, store: FileStore) -> str:
    content = bytes(await lims.acall("download_certificate", certificate_id=certificate.id))
    name = f"{_plain(certificate.key)}_{_plain(certificate.id)}.pdf"
    await asyncio.to_thread(store.write, FOLDER, name, content)
    detail = {"file": name, "sha256": sha256(content).hexdigest(), "certificate": certificate.id}
    await asyncio.to_thread(
        lims.ledger.record, "certificate", system="lims", kind="certificate", key=certificate.key, owner=lims.owner,
        detail=detail,
    )  # fmt: skip
    await asyncio.to_thread(_keep, lims, certificate.sample_id, {"id": certificate.id, "filed": name})
    return name


def _kept(lims: LIMSClient, sample_id: str) -> dict[str, Any]:
    return lims.ledger.state(_place(sample_id), NOTHING)


def _keep(lims: LIMSClient, sample_id: str, value: Mapping[str, Any]) -> None:
    lims.ledger.update(_place(sample_id), lambda _: dict(value), NOTHING)


def _place(sample_id: str) -> str:
    return f"lims/certificate/{sample_id}"


def _plain(text: str) -> str:
    return "".join(sign if sign.isalnum() or sign in "._-" else "_" for sign in text).lstrip(".")[:100]
