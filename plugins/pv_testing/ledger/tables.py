"""The ledger's tables, as the newest migration leaves them."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Float, Index, Integer, MetaData, PrimaryKeyConstraint, Table, Text, text

metadata = MetaData()

# Ordered by code point in every database: a prefix is a range, and the order doesn't depend on a server's locale.
Word = Text().with_variant(Text(collation="C"), "postgresql")

# On SQLite a table with hidden row numbers: a batch of new records fills neighbouring pages, and only the slim key
# index is touched at random places. A table without row numbers would rewrite one page a record at a million rows.
record = Table(
    "ledger_record",
    metadata,
    Column("system", Word, nullable=False),
    Column("kind", Word, nullable=False),
    Column("key", Word, nullable=False),
    Column("state", Text, nullable=False),
    Column("fingerprint", Text, nullable=False),
    Column("confirmed", Text, nullable=False),
    Column("revision", Integer, nullable=False),
    Column("external_id", Word, nullable=False),
    Column("doubtful", Text, nullable=False, key="unresolved_fingerprint"),
    Column("code", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("token", BigInteger, nullable=False),
    Column("owner", Text, nullable=False),
    Column("lease_until", Float(53), nullable=False),
    Column("before_state", Text, nullable=False),
    Column("before_fingerprint", Text, nullable=False),
    Column("changed_at", Float(53), nullable=False),
    PrimaryKeyConstraint("system", "kind", "key", name="ledger_record_key"),
)

_waits = text("state IN ('quarantined', 'rejected', 'unknown')")
Index(
    "ledger_record_waiting",
    record.c.system,
    record.c.kind,
    record.c.key,
    sqlite_where=_waits,
    postgresql_where=_waits,
)
_known = text("external_id <> ''")
Index(
    "ledger_record_external",
    record.c.system,
    record.c.kind,
    record.c.external_id,
    sqlite_where=_known,
    postgresql_where=_known,
)

audit = Table(
    "ledger_audit",
    metadata,
    Column("sequence", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=False),
    Column("at", Text, nullable=False),
    Column("owner", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("system", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("key", Text, nullable=False),
    Column("result", Text, nullable=False),
    Column("external_id", Text, nullable=False),
    Column("fingerprint", Text, nullable=False),
    Column("detail", Text, nullable=False),
    Column("previous", Text, nullable=False),
    Column("hash", Text, nullable=False),
)

_decides = text("action IN ('approve', 'reject')")
Index("ledger_audit_decision", audit.c.action, audit.c.key, sqlite_where=_decides, postgresql_where=_decides)

# One row: where the audit trail ends. It finds a cut-off tail, and on PostgreSQL its lock puts the writers in a row.
head = Table(
    "ledger_head",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("sequence", BigInteger, nullable=False),
    Column("at", Text, nullable=False),
    Column("hash", Text, nullable=False),
)

watermark = Table(
    "ledger_watermark",
    metadata,
    Column("name", Word, primary_key=True),
    Column("value", Text, nullable=False),
)

pause = Table(
    "ledger_pause",
    metadata,
    Column("system", Word, primary_key=True),
    Column("until", Float(53), nullable=False),
)

# Who may send when, where all tasks and hosts share a system's limit; see pv_testing.transports.governor.timetable.
timetable = Table(
    "ledger_timetable",
    metadata,
    Column("system", Word, primary_key=True),
    Column("state", Text, nullable=False),
)

# Who is told of events. Of a secret only its name and a short digest are kept, never the secret.
endpoint = Table(
    "ledger_endpoint",
    metadata,
    Column("id", Word, primary_key=True),
    Column("url", Text, nullable=False),
    Column("events", Text, nullable=False),
    Column("secrets", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("created_at", Float(53), nullable=False),
    Column("failures", Integer, nullable=False),
    Column("failing_since", Float(53), nullable=False),
    Column("held_until", Float(53), nullable=False),
)

outbox = Table(
    "ledger_outbox",
    metadata,
    Column("sequence", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=False),
    Column("id", Word, nullable=False),
    Column("event", Text, nullable=False),
    Column("subject", Word, nullable=False),
    Column("at", Float(53), nullable=False),
    Column("data", Text, nullable=False),
)
Index("ledger_outbox_id", outbox.c.id, unique=True)

delivery = Table(
    "ledger_delivery",
    metadata,
    Column("endpoint", Word, nullable=False),
    Column("sequence", BigInteger().with_variant(Integer, "sqlite"), nullable=False),
    Column("subject", Word, nullable=False),
    Column("state", Text, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("next_at", Float(53), nullable=False),
    Column("lease_until", Float(53), nullable=False),
    Column("changed_at", Float(53), nullable=False),
    Column("status", Integer, nullable=False),
    Column("reason", Text, nullable=False),
    PrimaryKeyConstraint("endpoint", "sequence", name="ledger_delivery_key"),
)
_is_due = text("state = 'pending'")
for _name, _columns in (
    ("ledger_delivery_pending", (delivery.c.endpoint, delivery.c.sequence)),
    ("ledger_delivery_subject", (delivery.c.endpoint, delivery.c.subject, delivery.c.sequence)),
):
    Index(_name, *_columns, sqlite_where=_is_due, postgresql_where=_is_due)

inbox = Table(
    "ledger_inbox",
    metadata,
    Column("source", Word, nullable=False),
    Column("id", Word, nullable=False),
    Column("dag", Word, nullable=False),
    Column("event", Text, nullable=False),
    Column("subject", Word, nullable=False),
    Column("received_at", Float(53), nullable=False),
    Column("state", Text, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("next_at", Float(53), nullable=False),
    Column("reason", Text, nullable=False),
    PrimaryKeyConstraint("source", "id", "dag", name="ledger_inbox_key"),
)
_not_started = text("state = 'waiting'")
Index(
    "ledger_inbox_waiting",
    inbox.c.received_at,
    sqlite_where=_not_started,
    postgresql_where=_not_started,
)
