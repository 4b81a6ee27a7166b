"""SOAP faults: whose fault it is, and what the system says of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

SOAP_11 = "http://schemas.xmlsoap.org/soap/envelope/"
SOAP_12 = "http://www.w3.org/2003/05/soap-envelope"
CALLER = frozenset({"Client", "Sender", "MustUnderstand", "VersionMismatch", "DataEncodingUnknown"})
STRANGER = frozenset({"FailedAuthentication", "InvalidSecurity", "InvalidSecurityToken", "SecurityTokenUnavailable"})
"""Codes of WS-Security (SOAP Message Security 1.1.1, 12) that are about who asks."""


@dataclass(frozen=True, slots=True)
class Fault:
    """A SOAP fault.

    Attributes:
        code: ``Client`` or ``Server``, in SOAP 1.2 ``Sender`` or ``Receiver``; some systems have words of their own.
        subcode: what narrows the code down; empty where nothing does.
        reason: in words.
        detail: what the system says besides, as nested mappings by the elements' names.
    """

    code: str
    subcode: str
    reason: str
    detail: Any

    @property
    def is_callers(self) -> bool:
        """Whether the system says that the request is wrong, so that it did nothing and would refuse it again."""
        return self.code in CALLER

    @property
    def is_strangers(self) -> bool:
        """Whether the system doesn't accept the token in the envelope."""
        return self.code in STRANGER or self.subcode in STRANGER

    def as_json(self) -> dict[str, Any]:
        """Return the fault as rules of a contract see it."""
        content = {"Code": self.code, "Subcode": self.subcode, "Reason": self.reason, "Detail": self.detail}
        return {"Fault": content, "message": self.reason}


def read_fault(body: Any) -> Fault | None:
    """Return the fault in the body of an envelope, of SOAP 1.1 or 1.2; ``None`` where there is none."""
    fault = body.find(f"{{{SOAP_11}}}Fault")
    if fault is not None:
        code, _, subcode = _word(fault.findtext("faultcode")).partition(".")
        return Fault(code, subcode, (fault.findtext("faultstring") or "").strip(), nested(fault.find("detail")))
    fault = body.find(f"{{{SOAP_12}}}Fault")
    if fault is None:
        return None
    names = {"s": SOAP_12}
    return Fault(
        code=_word(fault.findtext("s:Code/s:Value", namespaces=names)),
        subcode=_word(fault.findtext("s:Code/s:Subcode/s:Value", namespaces=names)),
        reason=(fault.findtext("s:Reason/s:Text", namespaces=names) or "").strip(),
        detail=nested(fault.find("s:Detail", names)),
    )


def _word(code: str | None) -> str:
    """Return a code without its prefix."""
    return (code or "").strip().rpartition(":")[2]


def nested(element: Any) -> Any:
    """Return an element as text, or as a mapping by the names of those within; a name that comes twice is a list."""
    if element is None:
        return None
    inner: dict[str, list[Any]] = {}
    for child in element.iterchildren("*"):
        inner.setdefault(child.tag.rpartition("}")[2], []).append(nested(child))
    plain = {name: values if len(values) > 1 else values[0] for name, values in inner.items()}
    return plain or (element.text or "").strip()
