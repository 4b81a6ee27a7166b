"""The shipped SQL contract against real databases: each record exactly once, whatever becomes of the commits."""

from __future__ import annotations

import threading
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa

import sandbox
from pv_testing.core.errors import AuthenticationError, ConfigError, MappingError, Rejected
from pv_testing.core.records import Result
from pv_testing.core.sync import run
from pv_testing.integrations import FrameworkClient, LIMSClient
from pv_testing.ledger import Ledger, State
from pv_testing.samples.intake import create_samples
from pv_testing.samples.results import upload_results
from pv_testing.samples.statuses import pull_statuses, push_statuses
from sandbox.lims_database import RESULT, SAMPLE, TEST, LimsDatabase
from tests.integration import databases

SAMPLES = {"external_id": "SN1", "project_id": "SR-1", "sample_type": "PV Module", "customer": "Helios"}
RESULTS = {
    "execution_id": "5678",
    "test_id": "PVTP-001",
    "test_date": "2025-11-12T15:30:00+01:00",
    "operator": "Ada Volt",
    "results": [
        {"analyte": "Pmax", "value": "0.40250", "unit": "kW", "uncertainty": 0.002, "status": "PASS"},
        {"analyte": "Crack", "value": "none, <5 µm & dry", "unit": "", "status": "CONDITIONAL"},
    ],
}
SERVERS = [pytest.param("postgresql", marks=pytest.mark.postgres), "mariadb"]


@pytest.fixture(params=["sqlite", *SERVERS])
def place(request, tmp_path):
    with databases.place(request.param, tmp_path) as found:
        yield found


@pytest.fixture
def contract(tmp_path):
    return databases.brief_contract(tmp_path)


@pytest.fixture
def ledger(tmp_path):
    with Ledger(f"sqlite:///{tmp_path / 'ledger.sqlite'}") as opened:
        yield opened


@pytest.fixture
def database(place):
    with LimsDatabase(place.admin) as opened:
        yield opened


@pytest.fixture
def lims(place, contract, ledger):
    with place.client(contract, ledger) as opened:
        yield opened


@pytest.fixture
def proxy(place):
    if not place.port:
        pytest.skip("a file has no connection that could be cut")
    opened = databases.CuttingProxy(place.port)
    yield opened
    opened.close()


def samples(number: int, **other: Any) -> list[dict[str, Any]]:
    return [{**SAMPLES, "external_id": f"SN{each:03}", **other} for each in range(number)]


def ids(database: LimsDatabase) -> list[str]:
    return [row["TEXT_ID"] for row in database.rows(SAMPLE)]


def test_a_sample_arrives_as_the_map_says_and_only_once(lims, database):
    given = {**SAMPLES, "metadata": {"model": 'M\'<400>; DROP TABLE "SAMPLE"--', "power_rating": "400.50"}}
    created, again = lims.create_sample(**given), lims.create_sample(**given)
    assert created["id"] == again["id"] == "1"
    (row,) = database.rows(SAMPLE)
    assert (row["MODEL"], str(row["POWER_RATING"]), row["STATUS"]) == (given["metadata"]["model"], "400.500", "U")


def test_a_changed_sample_is_updated_in_place_and_what_it_lost_is_emptied(lims, database):
    lims.create_sample(**SAMPLES, metadata={"model": "M"})
    database.receive()
    lims.create_sample(**{**SAMPLES, "customer": "Fjord"})
    (row,) = database.rows(SAMPLE)
    assert (row["CUSTOMER"], row["MODEL"], row["STATUS"]) == ("Fjord", None, "I")


def test_a_result_set_and_its_lines_are_one_transaction(lims, database):
    sample_id = lims.create_sample(**SAMPLES)["id"]
    with pytest.raises(Rejected):
        lims.upload_results("4711", RESULTS)
    assert (database.rows(TEST), database.rows(RESULT)) == ([], [])
    lims.upload_results(sample_id, RESULTS)
    lims.upload_results(sample_id, {**RESULTS, "operator": "Eve Ohm"})
    assert [(row["REVISION"], row["OPERATOR"]) for row in database.rows(TEST)] == [(1, "Ada Volt"), (2, "Eve Ohm")]
    lines = [(row["TEST_NUMBER"], row["LINE"], row["FORMATTED_RESULT"]) for row in database.rows(RESULT)]
    text = "none, <5 µm & dry"
    first, second = (row["TEST_NUMBER"] for row in database.rows(TEST))
    assert lines == [(first, 1, "402.5"), (first, 2, text), (second, 1, "402.5"), (second, 2, text)]


def test_a_status_is_set_once_and_one_of_no_sample_is_refused(lims, database):
    sample_id = lims.create_sample(**SAMPLES)["id"]
    assert lims.update_sample_status(sample_id, "C")["id"] == sample_id
    assert database.rows(SAMPLE)[0]["STATUS"] == "C"
    with pytest.raises(Rejected, match="no row of SAMPLE with SAMPLE_NUMBER = 4711") as caught:
        lims.update_sample_status("4711", "C")
    assert caught.value.code == "NOT_FOUND"


def test_listings_come_in_pages_by_their_keys(lims, database):
    rows = [{"TEXT_ID": f"S{n}", "PROJECT": "P", "CUSTOMER": "C", "STATUS": "U"} for n in range(2300)]
    with database.engine.begin() as connection:
        connection.execute(sa.insert(SAMPLE), rows)
    assert len({row["TEXT_ID"] for row in lims.get_samples_by_status("U")}) == 2300
    assert lims.find_sample("S7", "P")["SAMPLE_NUMBER"] == 8
    assert lims.find_sample("S7", "Q") is None


def test_one_bad_record_waits_and_the_others_go_on(lims, database):
    bad = {**SAMPLES, "external_id": "BAD", "customer": "x" * 90}
    exact = {**SAMPLES, "external_id": "EXACT", "metadata": {"power_rating": "400.1234"}}
    report = lims.create_samples([*samples(2), bad, exact])
    codes = {outcome.key: outcome.code for outcome in report.outcomes}
    assert codes == {"SR-1/SN000": "", "SR-1/SN001": "", "SR-1/BAD": "TOO_LONG", "SR-1/EXACT": "TOO_PRECISE"}
    assert ids(database) == ["SN000", "SN001"]


def test_a_row_that_the_database_refuses_doesn_t_take_its_neighbours_along(lims, database):
    with database.engine.begin() as connection:
        if connection.dialect.name == "sqlite":
            trigger = (
                'CREATE TRIGGER t BEFORE INSERT ON "SAMPLE" WHEN NEW."TEXT_ID" = \'SN003\' '
                "BEGIN SELECT RAISE(ABORT, 'not today'); END"
            )
            connection.exec_driver_sql(trigger)
        else:
            quote = connection.dialect.identifier_preparer.quote_identifier
            check = f"ALTER TABLE {quote('SAMPLE')} ADD CHECK ({quote('TEXT_ID')} <> 'SN003')"
            connection.exec_driver_sql(check)
    report = lims.create_samples(samples(6))
    assert {outcome.key for outcome in report.outcomes if outcome.result is Result.REJECTED} == {"SR-1/SN003"}
    assert ids(database) == [f"SN{each:03}" for each in (0, 1, 2, 4, 5)]


@pytest.mark.parametrize("fate", ["before", "after"])
def test_no_sample_is_lost_or_doubled_when_the_connection_is_cut_at_a_commit(
    place, contract, ledger, database, proxy, fate
):
    with place.client(contract, ledger, place.through(proxy.port)) as lims:
        lims.identity()
        proxy.plan = [fate, "ok", fate, fate]
        report = lims.create_samples(samples(160))
    assert report.error is None
    assert {outcome.result for outcome in report.outcomes} <= {Result.CREATED, Result.ADOPTED}
    assert sorted(ids(database)) == sorted(sample["external_id"] for sample in samples(160))
    assert proxy.cuts == 3
    adopted = sum(outcome.result is Result.ADOPTED for outcome in report.outcomes)
    assert (adopted > 0) is (fate == "after")


def test_no_result_set_is_doubled_when_the_connection_is_cut_at_a_commit(place, contract, ledger, database, proxy):
    with place.client(contract, ledger, place.through(proxy.port)) as lims:
        sample_id = lims.create_sample(**SAMPLES)["id"]
        proxy.plan = ["after"]
        lims.upload_results(sample_id, RESULTS)
        proxy.plan = ["before", "after"]
        lims.upload_results(sample_id, {**RESULTS, "operator": "Eve Ohm"})
    assert [row["REVISION"] for row in database.rows(TEST)] == [1, 2]
    assert len(database.rows(RESULT)) == 4


@pytest.mark.postgres
@pytest.mark.parametrize("place", ["postgresql"], indirect=True)
@pytest.mark.parametrize("moment", ["insert", "commit"])
def test_a_backend_that_is_terminated_leaves_nothing_behind(place, lims, database, moment):
    """The server ends the connection itself, in the midst of the insert or of the commit."""
    deferred = "DEFERRABLE INITIALLY DEFERRED" if moment == "commit" else ""
    kind = "CONSTRAINT TRIGGER slow AFTER INSERT" if moment == "commit" else "TRIGGER slow AFTER INSERT"
    with psycopg.connect(place.admin.replace("+psycopg", ""), autocommit=True) as link:
        link.execute("CREATE TABLE ended (pid int)")
        link.execute(
            "CREATE FUNCTION end_me() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
            "IF (SELECT count(*) FROM pg_stat_database WHERE datname = current_database()) > 0 "
            "AND nextval('ends') < 2 THEN PERFORM pg_terminate_backend(pg_backend_pid()); PERFORM pg_sleep(1); END IF; "
            "RETURN NULL; END $$"
        )
        link.execute("CREATE SEQUENCE ends")
        link.execute(f'CREATE {kind} ON "SAMPLE" {deferred} FOR EACH ROW EXECUTE FUNCTION end_me()')
    (outcome,) = lims.create_samples(samples(1)).outcomes
    assert outcome.result is Result.CREATED
    assert ids(database) == ["SN000"]


def test_attempts_that_know_nothing_of_each_other_make_one_row(place, contract, database):
    """The tables have no unique constraint, and each attempt has a ledger of its own, as after a lost ledger."""
    reports = []

    def carry(forgetful: Ledger) -> None:
        with forgetful, place.client(contract, forgetful) as lims:
            reports.append(lims.create_samples(samples(60)))

    attempts = [threading.Thread(target=carry, args=(Ledger.in_memory(quiet=True),)) for _ in range(3)]
    for attempt in attempts:
        attempt.start()
    for attempt in attempts:
        attempt.join()
    assert sorted(ids(database)) == [f"SN{each:03}" for each in range(60)]
    results = [outcome.result for report in reports for outcome in report.outcomes]
    assert results.count(Result.CREATED) == 60
    assert len(results) == 180
    assert set(results) <= {Result.CREATED, Result.ADOPTED, Result.DEFERRED}


def test_a_row_made_by_hand_under_our_key_waits_for_a_person(lims, database):
    database.insert(SAMPLE, TEXT_ID="SN000", PROJECT="SR-1", CUSTOMER="Other", STATUS="U", SAMPLE_TYPE="PV Module")
    (outcome,) = lims.create_samples(samples(1)).outcomes
    assert (outcome.result, outcome.code) == (Result.QUARANTINED, "CONTENT_DIFFERS")
    assert len(database.rows(SAMPLE)) == 1


def test_two_rows_of_one_key_wait_for_a_person(lims, database):
    lims.create_samples(samples(1))
    database.insert(SAMPLE, TEXT_ID="SN000", PROJECT="SR-1", CUSTOMER="Helios", STATUS="U", SAMPLE_TYPE="PV Module")
    (outcome,) = lims.create_samples(samples(1, customer="Fjord")).outcomes
    assert (outcome.result, outcome.code) == (Result.REJECTED, "KEY_TWICE")
    assert {row["CUSTOMER"] for row in database.rows(SAMPLE)} == {"Helios"}
    database.insert(SAMPLE, TEXT_ID="SN009", PROJECT="SR-1", CUSTOMER="Helios", STATUS="U", SAMPLE_TYPE="PV Module")
    database.insert(SAMPLE, TEXT_ID="SN009", PROJECT="SR-1", CUSTOMER="Helios", STATUS="U", SAMPLE_TYPE="PV Module")
    (outcome,) = lims.create_samples([{**SAMPLES, "external_id": "SN009"}]).outcomes
    assert (outcome.result, outcome.code) == (Result.REJECTED, "KEY_TWICE")


def test_a_replay_shows_second_copies(lims, database, ledger):
    lims.create_samples(samples(1))
    database.insert(SAMPLE, TEXT_ID="SN000", PROJECT="SR-1", CUSTOMER="Helios", STATUS="U", SAMPLE_TYPE="PV Module")
    report = lims.exchange("create_sample", _records(lims, samples(1)), replay=True)
    assert report.outcomes[0].code == "DUPLICATE_IN_SYSTEM"
    assert [entry.state for entry in ledger.waiting()] == [State.QUARANTINED]


def _records(lims: LIMSClient, given: list[dict[str, Any]]):
    kept = []
    exchange = lims.exchange
    lims.exchange = lambda operation, records, **_: kept.extend(records) or exchange(operation, records)
    lims.create_samples(given)
    del lims.exchange
    return kept


def test_an_unknown_letter_raises(place, lims, contract, ledger, database):
    (row,) = lims.create_samples(samples(1)).outcomes
    with database.engine.begin() as connection:
        connection.execute(sa.update(SAMPLE).values(STATUS="J"))
    vocabulary = lims.contract.vocabularies["receipt"]
    assert row.result is Result.CREATED
    with pytest.raises(MappingError, match="J") as caught:
        vocabulary.read(lims.find_sample("SN000", "SR-1")["STATUS"])
    assert caught.value.code == "STATUS_UNKNOWN"


def test_a_contract_that_only_reads_has_sessions_that_only_read(place, tmp_path, ledger, database):
    text = databases.brief_contract(tmp_path).read_text(encoding="utf-8")
    path = tmp_path / "reading.yaml"
    path.write_text(text.replace("  writes: true", "  # nothing"), encoding="utf-8")
    with pytest.raises(ConfigError, match="writes, and the contract only reads"):
        place.client(path, ledger)
    reading = text[: text.index("operations:")].replace("  writes: true", "")
    path.write_text(reading + "operations:\n  get_x: {sql: {select: SAMPLE}, list: rows}\n", encoding="utf-8")
    with place.client(path, ledger) as lims:
        provider = run(lims.provider())
        engine = provider.session._wire._opened()[0]
        with engine.connect() as connection, pytest.raises(sa.exc.DBAPIError) as caught:
            connection.execute(sa.update(SAMPLE).values(STATUS="X"))
    assert any(word in str(caught.value).lower() for word in ("read-only", "readonly", "read only"))


def test_columns_that_aren_t_there_are_named_by_the_check(place, tmp_path, ledger):
    path = databases.brief_contract(tmp_path, ("MODEL", "MODELL"))
    with place.client(path, ledger) as lims, pytest.raises(ConfigError, match="MODELL") as caught:
        lims.identity()
    assert caught.value.code == "SQL_UNKNOWN"


@pytest.mark.parametrize("place", SERVERS, indirect=True)
def test_wrong_credentials_are_said_without_them(place, contract, ledger):
    login = {"auth_type": "basic", "username": "nobody_here", "password": "wrong-0815"}
    stranger = LIMSClient(place.base_url, contract=str(contract), ledger=ledger, **login)
    with stranger, pytest.raises(AuthenticationError) as caught:
        stranger.identity()
    assert "wrong-0815" not in str(caught.value)


def test_the_workflows_carry_a_service_request_by_sql(lims, ledger, database):
    plan = sandbox.SeedPlan(modules=4, protocols=2)
    with sandbox.serve(seed_plan=plan) as lab:
        known = lab.credentials
        framework = FrameworkClient(
            lab.framework_url, username=known.framework_username, password=known.framework_password, ledger=ledger
        )
        with framework:
            run(create_samples(framework, lims, [1])).raise_for_waiting()
            assert run(pull_statuses(framework, lims, [1])).total() == 0
            database.receive()
            run(pull_statuses(framework, lims, [1])).raise_for_waiting()
            lab.advance(1, "TESTING_IN_PROGRESS")
            lab.run_executions(1)
            run(upload_results(framework, lims, [1])).raise_for_waiting()
            again = run(upload_results(framework, lims, [1]))
            run(push_statuses(framework, lims, [1])).raise_for_waiting()
    assert again.counts()["unchanged"] == 8
    assert len(database.rows(SAMPLE)) == 4
    assert len({row["EXECUTION"] for row in database.rows(TEST)}) == len(database.rows(TEST)) == 8
    assert {row["STATUS"] for row in database.rows(SAMPLE)} <= {"P", "C"}
