"""The reason codes of this project, in one place: why a record or a request did not go on.

A code that the project decides by, such as :attr:`Reason.NO_LOOKUP`, is compared as a member only, so that the type
checker finds a misspelt one. Codes of a system's answer, and those that only one product has, stay text: they inform a
person and decide nothing.
"""

from __future__ import annotations

from enum import Enum, auto


class Reason(str, Enum):
    """A reason code. A member's name is its value, and it is written as that text wherever it is formatted or stored.

    The table of ``docs/reference/reason-codes.md`` says what each one means and what a person does; the codes of one
    channel, such as files, are on the channel's page.
    """

    @staticmethod
    def _generate_next_value_(name: str, start: int, count: int, last_values: list[str]) -> str:  # noqa: ARG004
        # psycopg stores an enum's name; sqlite3, orjson and json store its value: so the two must be the same.
        return name

    def __hash__(self) -> int:
        """Return the hash of the text, so that a code which was read from the ledger is found among members."""
        return str.__hash__(self)

    def __str__(self) -> str:
        """Return the code as plain text."""
        return str.__str__(self)

    def __format__(self, spec: str) -> str:
        """Format the code as plain text, in every version of Python."""
        return str.__format__(self, spec)

    # What a settlement or a refusal makes of a record, and who may release it.
    NOT_SENT = auto()
    ABSENT = auto()
    ALTERED = auto()
    NO_LOOKUP = auto()
    CONTENT_DIFFERS = auto()
    DUPLICATE_IN_SYSTEM = auto()
    DISPUTED = auto()

    # What another step, the engine or the trial of a contract does next.
    BULK_INCOMPLETE = auto()
    SERIAL_MISSING = auto()
    SERIAL_DUPLICATE = auto()
    DISABLED = auto()
    NO_OPERATION = auto()
    NO_ID = auto()
    ID_UNUSABLE = auto()
    NOT_JSON = auto()
    NO_IDENTITY = auto()
    NOTHING_TO_BILL = auto()
    PRICE_MISSING = auto()
    PRICE_AMBIGUOUS = auto()

    # What only informs the reader.
    EXECUTION_ID_MISSING = auto()
    STATE_UNKNOWN = auto()
    QUANTITY_UNKNOWN = auto()
    SR_NUMBER_MISSING = auto()
    SR_UNKNOWN = auto()
    SR_LOCKED = auto()
    FIELD_MISSING = auto()
    FIELD_UNKNOWN = auto()
    NOT_A_LIST = auto()
    MAPPING = auto()
    DATA = auto()
    NOT_AN_OBJECT = auto()
    UNIT_MISSING = auto()
    UNIT_UNKNOWN = auto()
    UNIT_MISMATCH = auto()
    UNIT_DIFFERS = auto()
    NOT_A_NUMBER = auto()
    NOT_WHOLE = auto()
    NOT_TEXT = auto()
    NOT_A_TIME = auto()
    NOT_A_DATE = auto()
    NOT_A_TRUTH_VALUE = auto()
    TOO_LONG = auto()
    TYPE = auto()
    STATUS_UNKNOWN = auto()
    VERDICT_MISSING = auto()
    MEASUREMENTS_MISSING = auto()
    KEY_UNUSABLE = auto()
    CONTENT_UNUSABLE = auto()
    PROTOCOL_UNKNOWN = auto()
    SAMPLE_UNKNOWN = auto()
    KEY_OF_EARLIER_VERSION = auto()
    DUPLICATE_KEY = auto()
    REJECTED = auto()
    CONFLICT = auto()
    NOT_FOUND = auto()
    ID_TAKEN = auto()
    SAMPLE_GONE = auto()
    RECEIPT_UNCLEAR = auto()
    RECEIPT_UNKNOWN = auto()
    LOOKUP_REFUSED = auto()
    SEARCH_LAG = auto()
    NO_LIST = auto()
    KEY_MISSING = auto()
    ID_MISSING = auto()
    FILTER_IGNORED = auto()
    AMBIGUOUS = auto()
    NO_STATUS = auto()
    TOKEN_REFUSED = auto()
    IN_DOUBT = auto()
    INTERRUPTED = auto()
    BUSY = auto()
    LEASE_LOST = auto()
    STALE_TOKEN = auto()
    STALE = auto()
    INCOMPLETE = auto()
    AUTHENTICATION = auto()
    CREDENTIALS_REFUSED = auto()
    TOKEN_MISSING = auto()
    TOKEN_UNREADABLE = auto()
    CREDENTIALS_UNUSABLE = auto()
    PERMISSION = auto()
    CERTIFICATE_MISSING = auto()
    CERTIFICATE_UNUSABLE = auto()
    CERTIFICATE_UNTRUSTED = auto()
    CERTIFICATE_REFUSED = auto()
    NO_TLS = auto()
    SECURITY = auto()
    RESPONSE_TOO_LARGE = auto()
    CONFIG = auto()
    SETTING_MISSING = auto()
    NO_CONTRACT = auto()
    NO_SYSTEM = auto()
    ONE_OFF = auto()
    NETWORK = auto()
    DEADLINE = auto()
    CIRCUIT_OPEN = auto()
    UNAVAILABLE = auto()
    RATE_LIMITED = auto()
    RESPONSE = auto()
    LISTED_TWICE = auto()
    NO_ROWS = auto()
    NOT_QUOTABLE = auto()
    PAGINATION_LOOP = auto()
    LISTING_TOO_LARGE = auto()
    LEDGER_UNSAFE = auto()
    LEDGER = auto()
    LEDGER_NEWER = auto()
    NOT_WAITING = auto()
    LEDGER_ALTERED = auto()
    AUDIT_BROKEN = auto()
    INTEGRATION_ERROR = auto()

    # Of files; ``docs/how-to/files.md`` explains them.
    ANSWER_AWAITED = auto()
    ANSWER_MISSING = auto()
    ANSWER_UNKNOWN = auto()
    LIST_MISSING = auto()
    FILE_OPEN = auto()
    FILE_WITHDRAWN = auto()
    FILE_UNREADABLE = auto()
    FILE_UNWRITABLE = auto()
    FILE_REFUSED = auto()
    FILE_LINK = auto()
    FILE_NAME = auto()
    FILE_TOO_LARGE = auto()
    STORE_UNUSABLE = auto()
    STORE_UNREACHABLE = auto()
    HEADING = auto()
    COLUMN_MISSING = auto()
    SHEET_UNDECLARED = auto()
    SHEET_UNUSABLE = auto()
    ROOT = auto()
    ROW_SHAPE = auto()
    WRONG_ENCODING = auto()
    NOT_ENCODABLE = auto()
    XML_NAME = auto()
    XML_INVALID = auto()
    NO_SCHEMA = auto()
    NO_FORMAT = auto()
    DOCTYPE = auto()
    ARCHIVE_BOMB = auto()
    ARCHIVE_BROKEN = auto()
    ARCHIVE_PATH = auto()
    CERTIFICATE_IN_DOUBT = auto()
    CERTIFICATE_FAILED = auto()

    # Of databases; ``docs/how-to/databases.md`` explains them.
    KEY_TWICE = auto()
    KEY_EXISTS = auto()
    LOCKED = auto()
    ROLLED_BACK = auto()
    SQL_UNKNOWN = auto()
    NO_DATABASE = auto()
    DRIVER_MISSING = auto()
    ONE_TRANSACTION = auto()
    AUTH_TYPE = auto()
    TOO_PRECISE = auto()
    TOO_MANY_LINES = auto()
    NO_CHANGES = auto()
    DATE_MISSING = auto()

    # Of SOAP; ``docs/how-to/soap.md`` explains them.
    WSDL_UNUSABLE = auto()
    SOAP_ARGUMENTS = auto()
    NOT_A_TEXT = auto()
    NOT_SOAP = auto()

    # Of webhooks; ``docs/how-to/webhooks.md`` explains them.
    ADDRESS_REFUSED = auto()
    ENDPOINT_UNKNOWN = auto()
    EVENT_UNKNOWN = auto()
    SECRET_MISSING = auto()
    SECRET_UNUSABLE = auto()
    SECRET_CHANGED = auto()
    SECRETS_EXPOSED = auto()
    NO_WEBHOOK = auto()
