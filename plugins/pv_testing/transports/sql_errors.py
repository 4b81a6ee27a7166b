"""What the errors of database servers and their drivers mean, in the words that answers of other systems have.

Before a commit is asked for, an error means that nothing was done: the server rolls an open transaction back, at the
latest when its connection ends. What it says decides only whether another try makes sense.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from sqlalchemy import exc

from pv_testing.core.errors import ConfigError, IntegrationError, NetworkError, redact
from pv_testing.core.reasons import Reason

BUSY, REFUSED, FORBIDDEN, IN_THE_WAY = 503, 422, 403, 409
SHOWN = 300
# SQLSTATE of PostgreSQL, by whole code or by class (https://www.postgresql.org/docs/current/errcodes-appendix.html).
_STATES = {
    "23": IN_THE_WAY,
    "22": REFUSED,
    "P0001": REFUSED,
    "40": BUSY,
    "55P03": BUSY,
    "57014": BUSY,
    "53": BUSY,
    "42501": FORBIDDEN,
    "28": FORBIDDEN,
    "25006": FORBIDDEN,
}
# Error numbers of MariaDB (https://mariadb.com/kb/en/mariadb-error-code-reference/).
_NUMBERS = {
    1205: BUSY, 1213: BUSY, 1969: BUSY, 3024: BUSY, 1317: BUSY, 1040: BUSY, 1226: BUSY,
    1044: FORBIDDEN, 1045: FORBIDDEN, 1142: FORBIDDEN, 1143: FORBIDDEN, 1227: FORBIDDEN, 1290: FORBIDDEN,
    1792: FORBIDDEN,
    1048: IN_THE_WAY, 1062: IN_THE_WAY, 1216: IN_THE_WAY, 1217: IN_THE_WAY, 1451: IN_THE_WAY, 1452: IN_THE_WAY,
    4025: IN_THE_WAY, 1644: REFUSED, 1264: REFUSED, 1265: REFUSED, 1292: REFUSED, 1366: REFUSED, 1406: REFUSED,
    1364: IN_THE_WAY,
}  # fmt: skip
_WRONG_STATES = ("42", "3D", "3F", "0A")
_WRONG_NUMBERS = frozenset({1049, 1054, 1064, 1146, 1178})
_STRANGER = (
    "password authentication failed",
    "no pg_hba.conf entry",
    "does not exist",
    "access denied",
    "28000",
    "1017",
)


class StatementFailure(NamedTuple):
    """What a server said against a statement.

    Attributes:
        status: in the words of HTTP.
        code: the server's own: an SQLSTATE, a number or a name.
        message: the same in words, redacted.
    """

    status: int
    code: str
    message: str

    def body(self) -> dict[str, Any]:
        """Return it as an answer has it."""
        return {"error": {"code": self.code, "message": self.message}}


def is_lost(error: exc.DBAPIError) -> bool:
    """Whether the connection is gone."""
    return error.connection_invalidated or isinstance(error.orig, (OSError, EOFError)) or _code(error) in _GONE


_GONE = frozenset({"57P01", "57P02", "57P03", "08000", "08003", "08006", "2006", "2013", "2014", "2055", "0", "1927"})


def failure_of(error: exc.DBAPIError) -> StatementFailure:
    """Return what a server said; where nothing is known of it, that another try may help."""
    code = _code(error)
    by_state = _STATES.get(code) or _STATES.get(code[:2])
    status = _NUMBERS.get(int(code)) if _is_number(code) else by_state
    if status is None and isinstance(error, exc.IntegrityError):
        status = IN_THE_WAY
    if status is None and isinstance(error, exc.DataError):
        status = REFUSED
    if status is None and code.startswith("SQLITE_READONLY"):
        status = FORBIDDEN
    return StatementFailure(status or BUSY, code or type(error.orig).__name__, _words(error))


def is_wrong(error: exc.DBAPIError) -> bool:
    """Whether a statement speaks of what the database doesn't have, so that the contract is wrong."""
    code, text = _code(error), str(error.orig)
    if code == "42501":
        return False
    if _is_number(code):
        return int(code) in _WRONG_NUMBERS
    return (
        code.startswith(_WRONG_STATES)
        or "no such table" in text
        or "no such column" in text
        or "no column named" in text
    )


def refused_at_commit(error: exc.DBAPIError) -> bool:
    """Whether a server has refused a commit and so rolled back, such as for a constraint that waits until then."""
    code = _code(error)
    by_state = not _is_number(code) and code.startswith(("23", "40"))
    return not is_lost(error) and (by_state or isinstance(error, exc.IntegrityError))


def at_connect(error: exc.DBAPIError) -> IntegrationError:
    """Return what to raise where no connection is to be had; nothing was sent."""
    from pv_testing.core.errors import AuthenticationError, SecurityError

    text = _words(error)
    lower = text.lower()
    if "ssl" in lower or "certificate" in lower or "tls" in lower:
        message = f"the database can't be reached over verified TLS: {text}; check base_url and ca_cert"
        return SecurityError(message, code=Reason.CERTIFICATE_UNTRUSTED)
    if ('database "' in lower and "does not exist" in lower) or _code(error) == "1049":
        return ConfigError(f"the server has no such database: {text}; check base_url", code=Reason.NO_DATABASE)
    if any(word in lower for word in _STRANGER):
        return AuthenticationError(f"the database doesn't accept the credentials: {text}")
    return NetworkError(f"the database can't be reached: {text}")


def _is_number(code: str) -> bool:
    """Whether a code is an error number of MariaDB; an SQLSTATE has five characters, which may all be digits."""
    return code.isdigit() and len(code) < 5


def _code(error: exc.DBAPIError) -> str:
    orig: Any = error.orig
    first = orig.args[0] if getattr(orig, "args", ()) else ""
    if isinstance(first, int):  # MariaDB, whose states say less than its numbers
        return str(first)
    return str(getattr(orig, "sqlstate", None) or getattr(orig, "sqlite_errorname", None) or "")


def _words(error: exc.DBAPIError) -> str:
    orig: Any = error.orig
    # PostgreSQL adds the whole row as a detail, which is no matter of a log.
    primary = getattr(getattr(orig, "diag", None), "message_primary", None)
    args = [each for each in getattr(orig, "args", ()) if isinstance(each, str)]
    text = " ".join((primary or (args[0] if args else str(orig))).split())
    return redact(text, SHOWN)
