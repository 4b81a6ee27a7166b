"""The audit trail: a change to it is noticed, and the first record that is wrong is named."""

from __future__ import annotations

import hashlib
import json
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from pv_testing.cli.audit import verify_audit
from pv_testing.core.errors import AuditBroken, LedgerError
from pv_testing.core.records import Result
from pv_testing.ledger import Claim, Ledger, Settlement, audit
from pv_testing.ledger.store import Store, Writing

COUNT = 20


@pytest.fixture
def trail(ledger):
    """Give a ledger with twenty audit records."""
    claimed = ledger.claim("lims", "sample", [Claim(f"k{n}", "a") for n in range(COUNT - 1)], owner="o", lease=60)
    ledger.settle([Settlement(one, Result.CREATED, f"LIM-{one.key}") for one in claimed], owner="o")
    ledger.record("sweep", detail={"pages": 3, "of": "Ω 25 °C\u2028"})
    assert ledger.verify().count == COUNT
    return ledger


def malicious(url: str, *statements: str) -> None:
    """Run SQL as somebody who owns the database and has taken the guards away."""
    store = Store(url)
    sqlite = [f"DROP TRIGGER {name}" for name in (
        "ledger_audit_no_update", "ledger_audit_no_delete", "ledger_audit_no_replace", "ledger_head_forward",
        "ledger_head_no_delete", "ledger_head_no_insert",
    )]  # fmt: skip
    postgresql = ["DROP FUNCTION ledger_refuse() CASCADE"]
    with store.exclusive() as connection:
        for statement in (*(sqlite if store.sqlite else postgresql), *statements):
            connection.execute(text(statement))
    store.close()


def test_the_chain_is_what_standard_tools_compute(trail):
    previous = "0" * 64
    with trail._store.reading() as connection:
        for row in audit.page(connection, None, COUNT):
            fields = {str(name): value for name, value in row._mapping.items()}
            stored = fields.pop("hash")
            canonical = json.dumps(fields, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
            assert fields["previous"] == previous
            assert hashlib.sha256(canonical.encode()).hexdigest() == stored
            previous = stored
    assert trail.verify().head == previous


@given(
    st.dictionaries(
        st.sampled_from(audit.FIELDS[:-1]), st.text(st.characters(exclude_categories=["Cs"])) | st.integers(0)
    )
)
def test_canonical_json_is_the_same_in_any_language(event):
    event = {name: value if isinstance(value, str) else value % 2**63 for name, value in event.items()}
    canonical = json.dumps(event, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert audit.digest(event) == hashlib.sha256(canonical.encode()).hexdigest()


FIELDS = [name for name in audit.FIELDS if name not in {"sequence", "hash", "previous"}]


@pytest.mark.parametrize("number", [1, 7, COUNT])
@pytest.mark.parametrize("field", [*FIELDS, "hash", "previous"])
def test_an_altered_field_names_its_record(trail, url, field, number):
    malicious(url, f"UPDATE ledger_audit SET {field} = {field} || 'x' WHERE sequence = {number}")
    with pytest.raises(AuditBroken) as caught:
        trail.verify()
    assert caught.value.sequence == number


@pytest.mark.parametrize("number", [1, 7, COUNT - 1, COUNT])
def test_a_missing_record_is_named(trail, url, number):
    malicious(url, f"DELETE FROM ledger_audit WHERE sequence = {number}")
    with pytest.raises(AuditBroken, match="missing") as caught:
        trail.verify()
    assert caught.value.sequence == number


@pytest.mark.parametrize("number", [1, 12])
def test_a_cut_off_tail_is_named_by_its_first_record(trail, url, number):
    malicious(url, f"DELETE FROM ledger_audit WHERE sequence >= {number}")
    with pytest.raises(AuditBroken, match=f"cut off, it had {COUNT}") as caught:
        trail.verify()
    assert caught.value.sequence == number


def test_a_removed_record_whose_place_is_closed_up_is_named(trail, url):
    malicious(
        url,
        "DELETE FROM ledger_audit WHERE sequence = 5",
        "UPDATE ledger_audit SET sequence = -sequence WHERE sequence > 5",
        "UPDATE ledger_audit SET sequence = -sequence - 1 WHERE sequence < 0",
    )
    with pytest.raises(AuditBroken) as caught:
        trail.verify()
    assert caught.value.sequence == 5


def test_reordered_records_are_named_by_the_first(trail, url):
    malicious(
        url,
        "UPDATE ledger_audit SET sequence = -4 WHERE sequence = 4",
        "UPDATE ledger_audit SET sequence = 4 WHERE sequence = 9",
        "UPDATE ledger_audit SET sequence = 9 WHERE sequence = -4",
    )
    with pytest.raises(AuditBroken, match="moved") as caught:
        trail.verify()
    assert caught.value.sequence == 4


def rewrite(trail, url, number: int, **changes: str) -> None:
    """Alter a record and give it a hash that fits."""
    with trail._store.reading() as connection:
        row = audit.page(connection, number - 1, 1)[0]
    fields = {str(name): value for name, value in row._mapping.items()} | changes
    del fields["hash"]
    values = {**changes, "hash": audit.digest(fields)}
    malicious(url, *(f"UPDATE ledger_audit SET {name} = '{v}' WHERE sequence = {number}" for name, v in values.items()))


def test_a_record_rewritten_with_a_fitting_hash_shows_at_its_successor(trail, url):
    rewrite(trail, url, 7, external_id="FORGED")
    with pytest.raises(AuditBroken, match="rewritten") as caught:
        trail.verify()
    assert caught.value.sequence == 8


def test_the_last_record_rewritten_with_a_fitting_hash_does_not_fit_the_head(trail, url):
    rewrite(trail, url, COUNT, owner="somebody else")
    with pytest.raises(AuditBroken, match="not the one") as caught:
        trail.verify()
    assert caught.value.sequence == COUNT


def test_a_time_that_runs_backwards_is_named(trail, url):
    rewrite(trail, url, COUNT, at="1999-12-31T23:59:59.999Z")
    with pytest.raises(AuditBroken, match="older") as caught:
        trail.verify()
    assert caught.value.sequence == COUNT


@pytest.mark.parametrize("number", [0, -3, COUNT + 1])
def test_a_record_that_was_put_in_is_named(trail, url, number):
    names = ", ".join(audit.FIELDS)
    copied = names.replace("sequence", str(number))
    malicious(url, f"INSERT INTO ledger_audit ({names}) SELECT {copied} FROM ledger_audit WHERE sequence = 3")
    with pytest.raises(AuditBroken) as caught:
        trail.verify()
    assert caught.value.sequence == number


def test_a_record_put_in_at_the_end_with_a_fitting_hash_is_named(trail, url):
    with trail._store.reading() as connection:
        row = audit.page(connection, COUNT - 1, 1)[0]
    fields = {str(name): value for name, value in row._mapping.items()}
    fields.update(sequence=COUNT + 1, previous=fields.pop("hash"))
    values = {**fields, "hash": audit.digest(fields)}
    places = ", ".join(str(v) if isinstance(v, int) else f"'{v}'" for v in values.values())
    malicious(url, f"INSERT INTO ledger_audit ({', '.join(values)}) VALUES ({places})".replace(":", r"\:"))
    with pytest.raises(AuditBroken, match="behind the ledger's back") as caught:
        trail.verify()
    assert caught.value.sequence == COUNT + 1


def test_a_missing_head_is_named(trail, url):
    malicious(url, "DELETE FROM ledger_head")
    with pytest.raises(AuditBroken, match="head") as caught:
        trail.verify()
    assert caught.value.sequence == COUNT + 1
    with pytest.raises(LedgerError, match=r"head of the audit trail.*restore .* look_first: true"):
        trail.record("sweep")


@pytest.mark.parametrize("url", ["file"], indirect=True)
def test_a_value_of_a_kind_that_is_never_written_is_named(trail, url):
    malicious(url, "UPDATE ledger_audit SET owner = x'00ff' WHERE sequence = 2")
    with pytest.raises(AuditBroken) as caught:
        trail.verify()
    assert caught.value.sequence == 2


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE ledger_audit SET owner = 'x' WHERE sequence = 3",
        "UPDATE ledger_audit SET sequence = 99 WHERE sequence = 3",
        "DELETE FROM ledger_audit WHERE sequence = 3",
        "DELETE FROM ledger_audit",
        "UPDATE ledger_head SET sequence = 3",
        "UPDATE ledger_head SET hash = 'x'",
        "UPDATE ledger_head SET id = 2, sequence = 99",
        "DELETE FROM ledger_head",
        "INSERT INTO ledger_head SELECT 2, sequence, at, hash FROM ledger_head",
    ],
)
def test_sql_cannot_change_the_past(trail, statement):
    with pytest.raises(DBAPIError, match="can't be changed"), trail._store.engine.begin() as connection:
        connection.execute(text(statement))
    assert trail.verify().count == COUNT


AGAIN = "INTO ledger_audit SELECT * FROM ledger_audit WHERE sequence = 3"
SQLITE_ONLY = [
    f"INSERT {AGAIN}",
    f"INSERT OR REPLACE {AGAIN}",
    f"INSERT {AGAIN} ON CONFLICT DO UPDATE SET owner = 'x'",
    "REPLACE INTO ledger_head SELECT id, 3, at, hash FROM ledger_head",
    "UPDATE OR REPLACE ledger_audit SET sequence = 4 WHERE sequence = 3",
]
POSTGRESQL_ONLY = [
    "TRUNCATE ledger_audit",
    "TRUNCATE ledger_head",
    f"INSERT {AGAIN} ON CONFLICT (sequence) DO UPDATE SET owner = 'x'",
]


@pytest.mark.parametrize(
    ("url", "statement"),
    [
        *(("file", statement) for statement in SQLITE_ONLY),
        *(pytest.param("postgresql", s, marks=pytest.mark.postgres) for s in POSTGRESQL_ONLY),
    ],
    indirect=["url"],
)
def test_the_sql_of_one_database_cannot_change_the_past(trail, statement):
    test_sql_cannot_change_the_past(trail, statement)


def test_a_clock_that_goes_back_is_recorded_and_does_not_turn_the_order(trail):
    before = list(trail.events())[-1].at
    with trail._store.writing() as writing:
        audit.append(
            Writing(writing.connection, writing.now - 3600), [audit.Draft("o", "sweep"), audit.Draft("o", "sweep")]
        )
    trail.record("sweep")
    held, _, normal = list(trail.events(after=COUNT))
    assert held.at == before
    assert held.detail["clock"] < before
    assert "clock" not in normal.detail
    assert trail.verify().count == COUNT + 3


def test_events_are_given_in_order_and_by_the_page(ledger, monkeypatch):
    monkeypatch.setattr(audit, "PAGE", 7)
    for number in range(30):
        ledger.record("sweep", key=str(number))
    assert [event.sequence for event in ledger.events()] == list(range(1, 31))
    assert [event.sequence for event in ledger.events(after=25)] == list(range(26, 31))
    assert [event.key for event in ledger.events(after=3, limit=9)] == [str(number) for number in range(3, 12)]
    assert list(ledger.events(limit=0)) == []


def test_writers_in_many_threads_and_connections_make_one_chain(open_ledger):
    ledgers = [open_ledger() for _ in range(3)]

    def work(ledger: Ledger) -> None:
        for _ in range(10):
            ledger.record("sweep", owner=threading.current_thread().name)

    threads = [threading.Thread(target=work, args=(ledger,)) for ledger in ledgers for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert ledgers[0].verify().count == 60


def test_the_verdict_is_printed_for_people(trail, url, capsys):
    assert verify_audit(url) == 0
    output = capsys.readouterr().out
    assert f"WHOLE   {COUNT} records from 20" in output
    assert trail.verify().head in output
    malicious(url, "UPDATE ledger_audit SET owner = 'x' WHERE sequence = 3")
    assert verify_audit(url) == 1
    assert "BROKEN  audit record 3 was altered" in capsys.readouterr().out


def test_the_verdict_on_an_empty_and_on_an_unreachable_ledger(tmp_path, capsys):
    assert verify_audit(f"sqlite:///{tmp_path / 'new.sqlite'}") == 0
    assert "no records yet" in capsys.readouterr().out
    assert verify_audit("postgresql://ana:canary-123456@127.0.0.1:1/pv") == 2
    output = capsys.readouterr().out
    assert output.startswith("UNREAD")
    assert "canary" not in output


def approved(ledger) -> None:
    ledger.record("approve", system="qms", kind="capa", key="K/1", owner="o", detail={"finding": "f"})


def test_a_decision_beside_a_removed_record_is_not_believed(trail, url):
    approved(trail)
    trail.record("sweep")
    malicious(url, f"DELETE FROM ledger_audit WHERE sequence = {COUNT + 2}")
    with pytest.raises(AuditBroken, match=f"a neighbour of audit record {COUNT + 1} is missing"):
        trail.decision("qms", "capa", "f")


def test_a_last_decision_that_the_head_does_not_have_is_not_believed(trail, url):
    approved(trail)
    malicious(url, f"UPDATE ledger_head SET hash = '{'f' * 64}'")
    with pytest.raises(AuditBroken, match=f"audit record {COUNT + 1} is not the one that the ledger wrote last"):
        trail.decision("qms", "capa", "f")
