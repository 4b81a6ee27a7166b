"""The tables are evidence, too: whatever is forged, added or removed in them is found and named."""

from __future__ import annotations

import time

import pytest
from sqlalchemy import text

from pv_testing.cli.audit import verify_audit
from pv_testing.core.errors import LedgerAltered
from pv_testing.core.records import Result
from pv_testing.ledger import Claim, Ledger, Refusal, Settlement, evidence
from pv_testing.ledger.store import Store

ENDS = {
    "created": (Result.CREATED, "LIM-1", ""),
    "adopted": (Result.ADOPTED, "LIM-2", ""),
    "rejected": (Result.REJECTED, "", "NO"),
    "quarantined": (Result.QUARANTINED, "", "DUPLICATE_IN_SYSTEM"),
    "unknown": (Result.DEFERRED, "", "AMBIGUOUS"),
    "not sent": (Result.DEFERRED, "", "NOT_SENT"),
    "absent": (Result.DEFERRED, "", "ABSENT"),
    "altered": (Result.DEFERRED, "LIM-3", "ALTERED"),
}


def claim(ledger: Ledger, *keys: str, fingerprint: str = "a" * 64, lease: float = 60):
    return ledger.claim("lims", "sample", [Claim(key, fingerprint) for key in keys], owner="o", lease=lease)


@pytest.fixture
def kept(ledger) -> Ledger:
    """Give a ledger with a record in every state, and two watermarks."""
    for key, (result, external_id, code) in ENDS.items():
        ledger.settle([Settlement(*claim(ledger, key), result, external_id, code, "why" if code else "")], owner="o")
    claim(ledger, "in flight")
    claim(ledger, "left behind", lease=0)
    ledger.settle([Settlement(*claim(ledger, "changing"), Result.CREATED, "LIM-4")], owner="o")
    claim(ledger, "changing", fingerprint="b" * 64)
    ledger.quarantine("lims", "sample", [Refusal("refused", "raw", "X", "x")], owner="o")
    ledger.release("lims", "sample", ["rejected"], owner="ada")
    ledger.set_watermark("lims/results", "1")
    ledger.set_watermark("erp/stock", "2")
    summary = ledger.verify()
    assert (summary.records, summary.watermarks) == (len(ENDS) + 4, 2)
    return ledger


GUARDS = {
    True: [f"DROP TRIGGER ledger_{table}_no_delete" for table in ("record", "watermark")],
    False: ["DROP FUNCTION ledger_keep() CASCADE"],
}
SQLITE_GUARD = """CREATE TRIGGER ledger_{0}_no_delete BEFORE DELETE ON ledger_{0}
    BEGIN SELECT RAISE(ABORT, 'what the ledger knows can''t be deleted'); END"""
POSTGRESQL_GUARD = """CREATE OR REPLACE FUNCTION ledger_keep() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN RAISE EXCEPTION 'what the ledger knows can''t be deleted'; END $$;
    CREATE TRIGGER ledger_{0}_guard BEFORE DELETE OR TRUNCATE ON ledger_{0}
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_keep()"""
REMADE = {True: SQLITE_GUARD, False: POSTGRESQL_GUARD}


def malicious(url: str, *statements: str, hide: bool = True) -> None:
    """Run SQL as the owner of the database, who takes the guards away and puts them back."""
    store = Store(url)
    with store.exclusive() as connection:
        for each in (*GUARDS[store.sqlite], *statements):
            connection.execute(text(each))
        if hide:
            for table in ("record", "watermark"):
                connection.execute(text(REMADE[store.sqlite].format(table)))
    store.close()


def finds(ledger: Ledger, *names: str) -> None:
    with pytest.raises(LedgerAltered) as caught:
        ledger.verify()
    assert caught.value.count == len(names), caught.value.findings
    for finding, name in zip(caught.value.findings, names, strict=True):
        assert name in finding


SETTLED = ["created", "adopted", "quarantined", "unknown", "not sent", "absent", "altered", "refused", "rejected"]
FORGERIES = [
    "state = 'confirmed', fingerprint = 'f'",
    "fingerprint = 'f'",
    "confirmed = 'f'",
    "revision = revision + 1",
    "external_id = 'LIM-FORGED'",
    "doubtful = 'f'",
    "code = 'FORGED'",
    "reason = 'forged'",
    "token = token - 1",
    "key = 'another'",
    "kind = 'another'",
    "system = 'another'",
]


@pytest.mark.parametrize("key", SETTLED)
def test_a_forged_record_is_named(kept, url, key):
    for forged in FORGERIES:
        if forged.startswith("token") and key == "refused":
            continue  # its token is of no claim, and no settlement is waited for
        copied = f"CREATE TABLE pv_copy AS SELECT * FROM ledger_record WHERE key = '{key}'"
        malicious(url, copied, f"UPDATE ledger_record SET {forged} WHERE key = '{key}'")
        moved = forged.split(" ")[0] in {"key", "kind", "system"}
        with pytest.raises(LedgerAltered) as caught:
            kept.verify()
        assert caught.value.count == (2 if moved else 1), (forged, caught.value.findings)
        assert any(f"sample {key}:" in finding for finding in caught.value.findings)
        malicious(
            url,
            f"DELETE FROM ledger_record WHERE key IN ('{key}', 'another')",
            "INSERT INTO ledger_record SELECT * FROM pv_copy",
            "DROP TABLE pv_copy",
        )
        kept.verify()


@pytest.mark.parametrize(
    "forged",
    [
        "lease_until = 9e9",
        "before_state = 'confirmed', before_fingerprint = 'f'",
        "confirmed = 'f'",
        "revision = 7",
        "external_id = 'LIM-FORGED'",
    ],
)
@pytest.mark.parametrize("key", ["in flight", "left behind", "changing"])
def test_a_forged_claim_is_named_where_it_could_keep_a_record_from_being_sent(kept, url, key, forged):
    malicious(url, f"UPDATE ledger_record SET {forged} WHERE key = '{key}'")
    finds(kept, f"lims sample {key}:")


@pytest.mark.parametrize("key", SETTLED)
def test_a_record_forged_into_a_claim_under_an_endless_lease_is_named(kept, url, key):
    malicious(url, f"UPDATE ledger_record SET state = 'in_flight', lease_until = 9e9 WHERE key = '{key}'")
    finds(kept, "its lease ends in more than a day")


def test_a_claim_forged_to_forget_its_doubt_is_named(kept, url):
    claim(kept, "unknown", fingerprint="c" * 64)
    kept.verify()
    malicious(url, "UPDATE ledger_record SET doubtful = '' WHERE key = 'unknown'")
    finds(kept, "lims sample unknown: its claim forgets")


def test_a_removed_record_is_named(kept, url):
    malicious(url, "DELETE FROM ledger_record WHERE key = 'created'")
    finds(kept, "lims sample created: event 1 tells of it, but it is not in ledger_record")


def test_an_added_record_is_named(kept, url):
    malicious(
        url,
        "INSERT INTO ledger_record SELECT system, kind, 'put in', state, fingerprint, confirmed, revision, "
        "external_id, doubtful, code, reason, token, owner, lease_until, before_state, before_fingerprint, changed_at "
        "FROM ledger_record WHERE key = 'created'",
    )
    finds(kept, "lims sample put in: it is confirmed, but no event")


@pytest.mark.parametrize(
    ("statement", "found"),
    [
        ("UPDATE ledger_watermark SET value = '9' WHERE name = 'erp/stock'", "watermark erp/stock: it is not what"),
        ("INSERT INTO ledger_watermark VALUES ('capa/answer/x', '1')", "watermark capa/answer/x: no event"),
        ("DELETE FROM ledger_watermark WHERE name = 'erp/stock'", "watermark erp/stock: event"),
    ],
)
def test_a_watermark_that_the_trail_does_not_tell_is_named(kept, url, statement, found):
    malicious(url, statement)
    finds(kept, found)


@pytest.mark.parametrize("table", ["ledger_record", "ledger_watermark"])
def test_sql_deletes_nothing_that_the_ledger_knows(kept, table):
    with pytest.raises(Exception, match="can't be deleted"), kept._store.engine.begin() as connection:
        connection.execute(text(f"DELETE FROM {table}"))


def test_a_forgery_that_a_later_settlement_covers_is_still_found(kept, url):
    malicious(url, "UPDATE ledger_record SET revision = 8 WHERE key = 'created'")
    kept.settle([Settlement(*claim(kept, "created", fingerprint="d" * 64), Result.UPDATED, "LIM-1")], owner="o")
    with pytest.raises(LedgerAltered, match=r"created: event \d+ doesn't follow .* revision 9 where 2 follows"):
        kept.verify()


def test_missing_guards_are_named(kept, url):
    malicious(url, "UPDATE ledger_record SET code = code", hide=False)
    with pytest.raises(LedgerAltered, match=r"trigger ledger_record_\w+ is missing"):
        kept.verify()


POSTGRESQL = {
    "ALTER TABLE ledger_audit DISABLE TRIGGER ledger_audit_guard": "trigger ledger_audit_guard was altered or disabled",
    "CREATE OR REPLACE FUNCTION ledger_refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$": (
        "trigger ledger_audit_guard was altered"
    ),
    "ALTER TABLE ledger_record DROP CONSTRAINT ledger_record_key": "ledger_record.key",
    "ALTER TABLE ledger_record ALTER COLUMN state DROP NOT NULL": "ledger_record.state",
    "ALTER TABLE ledger_record SET UNLOGGED": "table ledger_record",
    "CREATE RULE nothing AS ON UPDATE TO ledger_watermark DO INSTEAD NOTHING": "rule nothing was added",
    "CREATE TRIGGER spy BEFORE INSERT ON ledger_record EXECUTE FUNCTION ledger_keep()": "trigger spy was added",
}
SQLITE = {
    "DROP TRIGGER ledger_head_forward": "trigger ledger_head_forward is missing",
    "CREATE TRIGGER spy AFTER INSERT ON ledger_record BEGIN SELECT 1; END": "trigger spy was added",
    "ALTER TABLE ledger_watermark ADD COLUMN more TEXT": "table ledger_watermark was altered",
    "DROP INDEX ledger_record_external": "index ledger_record_external is missing",
}


@pytest.mark.parametrize(
    ("url", "statement", "found"),
    [
        *(("file", *each) for each in SQLITE.items()),
        *(pytest.param("postgresql", *each, marks=pytest.mark.postgres) for each in POSTGRESQL.items()),
    ],
    indirect=["url"],
)
def test_whatever_is_changed_in_the_tables_shape_is_named(kept, url, statement, found):
    store = Store(url)
    with store.exclusive() as connection:
        connection.execute(text(statement))
    store.close()
    with pytest.raises(LedgerAltered, match=found):
        kept.verify()


def test_the_verdict_names_each_entry_for_people(kept, url, capsys):
    assert verify_audit(url) == 0
    assert f"explains {len(ENDS) + 4} records and 2 watermarks" in capsys.readouterr().out
    malicious(url, "UPDATE ledger_record SET external_id = 'LIM-9' WHERE key IN ('created', 'adopted')")
    assert verify_audit(url) == 1
    output = capsys.readouterr().out
    assert output.startswith("ALTERED 2 entries of the ledger")
    assert "lims sample created: its external_id is LIM-9, the audit trail says LIM-1" in output


@pytest.mark.postgres
def test_a_verification_that_sorts_for_longer_than_a_writer_may_stand_still_is_not_thrown_out(schema, monkeypatch):
    with Ledger(f"{schema}%20-cidle_in_transaction_session_timeout=100ms") as ledger:
        claimed = claim(ledger, "a")
        ledger.settle([Settlement(*claimed, Result.CREATED, "L")], owner="o")
        followed = evidence.Trail.entries

        def slowly(*arguments, **named):
            time.sleep(0.5)
            return followed(*arguments, **named)

        monkeypatch.setattr(evidence.Trail, "entries", slowly)
        assert ledger.verify().records == 1


def test_more_entries_than_a_page_are_compared(open_ledger, url, monkeypatch):
    monkeypatch.setattr(evidence, "PAGE", 7)
    ledger = open_ledger()
    claimed = claim(ledger, *(f"k{number}" for number in range(40)))
    ledger.settle([Settlement(one, Result.CREATED, f"L{one.key}") for one in claimed], owner="o")
    for number in range(20):
        ledger.set_watermark(f"w{number}", "1")
    assert ledger.verify().records == 40
    malicious(url, "UPDATE ledger_record SET external_id = 'X' WHERE key IN ('k0', 'k13', 'k14', 'k9')")
    finds(ledger, "k0:", "k13:", "k14:", "k9:")


def decide(ledger: Ledger, finding: str, action: str = "approve") -> None:
    ledger.record(action, system="qms", kind="capa", key="K/1", owner="o", detail={"finding": finding, "by": "ada"})


def test_the_last_decision_on_a_finding_is_read_from_the_trail_wherever_it_stands(ledger):
    assert ledger.decision("qms", "capa", "f") is None
    decide(ledger, "f")
    assert ledger.decision("qms", "capa", "f").sequence == 1
    decide(ledger, "g")
    assert ledger.decision("qms", "capa", "f").sequence == 1
    ledger.record("sweep")
    ledger.record("sweep")
    decide(ledger, "f", "reject")
    decision = ledger.decision("qms", "capa", "f")
    assert (decision.sequence, decision.action, decision.detail["by"]) == (5, "reject", "ada")
    assert ledger.decision("qms", "capa", "g").sequence == 2
    assert ledger.decision("lims", "capa", "g") is None


def test_an_event_and_the_watermarks_that_belong_to_it_are_one_transaction(ledger):
    with pytest.raises(ZeroDivisionError):
        ledger.record("approve", marks={"a": lambda _: "1", "b": lambda _: str(1 / 0)})
    assert ledger.watermark("a") is None
    ledger.record("approve", owner="ada", marks={"a": lambda kept: f"{kept}1"})
    assert ledger.watermark("a") == "None1"
    assert [(event.action, event.owner) for event in ledger.events()] == [("mark", "ada"), ("approve", "ada")]
    assert ledger.verify().watermarks == 1


def test_a_watermark_that_stays_the_same_is_no_event(ledger):
    for _ in range(3):
        ledger.set_watermark("lims/results", "1")
    assert [event.key for event in ledger.events()] == ["lims/results"]
