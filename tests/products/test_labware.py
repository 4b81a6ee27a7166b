"""LabWare by each of its four ways: who may use it, letters that differ from site to site, lost and late answers."""

from __future__ import annotations

import csv
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

import sandbox
from pv_testing.config import SystemConfig, load_config
from pv_testing.contracts import load_contract
from pv_testing.core.errors import AuthenticationError, ConfigError, IntegrationError
from pv_testing.core.records import Record
from pv_testing.core.sync import run
from pv_testing.integrations import FrameworkClient, LIMSClient
from pv_testing.integrations.receipt import Receipt
from pv_testing.ledger import Ledger
from pv_testing.samples.intake import create_samples
from pv_testing.samples.statuses import pull_statuses, push_statuses
from sandbox.products.labware import files, stand_in
from sandbox.products.labware.database import SCHEMA
from sandbox.products.labware.stand_in import LabWareStandIn
from tests import yaml_text
from tests.products.test_labware_conformance import WAYS, brisk, configured

OAUTH = {"auth_type": "oauth2", "client_id": stand_in.CLIENT_ID, "client_secret": stand_in.CLIENT_SECRET}
NO_LOGIN = {"username": "", "password": ""}


class Site:
    """A LIMS with one way in, and clients that share a ledger."""

    def __init__(self, way: str, folder: Path, stack: ExitStack) -> None:
        traps = WAYS[way].TRAPS if way == "files" else ()
        self.folder, self.stack = folder, stack
        self.lims: LabWareStandIn = stack.enter_context(WAYS[way].serve(folder, traps))
        self.section = dict(self.lims.section)
        if way == "files":
            self.section["contract"] = str(brisk("lims_labware", folder))
        self.ledger = stack.enter_context(Ledger.in_memory())

    def client(self, **changes: Any) -> LIMSClient:
        """Return a client, configured otherwise than the stand-in says where a test wants it."""
        config = configured({**self.section, **changes}, self.folder)
        return self.stack.enter_context(LIMSClient(config=config, ledger=self.ledger, owner="test"))


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Callable[[str], Site]]:
    with ExitStack() as stack:
        yield lambda way: Site(way, tmp_path, stack)


def sample(number: int = 1, customer: str = "Solar AG") -> Record:
    serial = f"SN{number:03d}"
    data = {"sr_number": "SR-1", "serial_number": serial, "customer_name": customer, "module": {}, "model": "T4"}
    return Record(f"SR-1/{serial}", data)


def result_set(sample_id: str, value: str = "398.50") -> Record:
    measured = [{"parameter": "Pmax", "value": value, "unit": "W", "uncertainty": "1.2", "qc_status": "PASS"}]
    data = {"execution_id": "E1", "lims_sample_id": sample_id, "protocol_id": "PVTP-001", "operator_name": "Jane",
            "completed_at": "2025-11-12T10:00:00Z", "measurements": measured}  # fmt: skip
    return Record("E1", data)


def status(sample_id: str, letter: str) -> Record:
    return Record("SR-1/SN001", {"lims_sample_id": sample_id, "lims_status": letter, "notes": ""})


def only(report: Any) -> tuple[str, str]:
    assert report.error is None
    (outcome,) = report.outcomes
    return outcome.result.value, outcome.code


def at_another_site(lims: LabWareStandIn, letter: str) -> None:
    """Give the samples a letter that only another site knows, past the rules of this one."""
    with sqlite3.connect(lims.database.path, timeout=30) as link:
        link.execute("PRAGMA ignore_check_constraints = ON")
        link.execute("DROP TRIGGER SAMPLE_MOVES")
        link.execute("UPDATE SAMPLE SET STATUS = ?", [letter])
    link.close()


def receipt(client: LIMSClient, sample_id: str) -> Receipt:
    return run(client.areceipts({"SR-1/SN001": sample_id}))["SR-1/SN001"]


@pytest.mark.parametrize("way", WAYS)
def test_a_sample_its_results_and_its_states_are_carried_and_corrected(site, way: str) -> None:
    place = site(way)
    client = place.client()
    report = client.exchange("create_sample", [sample()])
    sample_id = report.outcomes[0].external_id
    assert only(client.exchange("create_sample", [sample(customer="Sun Ltd")])) == ("updated", "")
    place.lims.receive()
    assert only(client.exchange("upload_results", [result_set(sample_id)])) == ("created", "")
    assert only(client.exchange("upload_results", [result_set(sample_id, "399.10")])) == ("updated", "")
    assert only(client.exchange("update_sample_status", [status(sample_id, "P")])) == ("updated", "")
    assert [(row["key"], row["status"]) for row in place.lims.rows("sample")] == [("SR-1/SN001", "P")]
    assert [(row["revision"], row["values"]) for row in place.lims.rows("result")] == [
        (1, {"Pmax": "398.50"}),
        (2, {"Pmax": "399.10"}),
    ]
    assert [row["CUSTOMER"] for row in place.lims.database.select("SAMPLE")] == ["Sun Ltd"]


def seen(client: LIMSClient, sample_id: str, wanted: Receipt) -> Receipt:
    """Read a receipt until it is as wanted; a list that is written now and then shows it some time later."""
    for _ in range(60):
        shown = receipt(client, sample_id)
        if shown is wanted:
            break
    return shown


@pytest.mark.parametrize("way", WAYS)
def test_receipt_is_read_and_a_letter_of_another_site_is_never_taken_for_one(site, way: str) -> None:
    place = site(way)
    client = place.client()
    sample_id = client.exchange("create_sample", [sample()]).outcomes[0].external_id
    assert seen(client, sample_id, Receipt.AWAITED) is Receipt.AWAITED
    place.lims.receive()
    assert seen(client, sample_id, Receipt.RECEIVED) is Receipt.RECEIVED
    at_another_site(place.lims, "X")
    assert seen(client, sample_id, Receipt.UNCLEAR) is Receipt.UNCLEAR
    at_another_site_again(place.lims, "J")
    assert seen(client, sample_id, Receipt.UNKNOWN) is Receipt.UNKNOWN


def at_another_site_again(lims: LabWareStandIn, letter: str) -> None:
    with sqlite3.connect(lims.database.path, timeout=30) as link:
        link.executescript(SCHEMA)
    link.close()
    at_another_site(lims, letter)


def test_a_row_with_an_unknown_letter_is_not_written_over_but_waits_for_a_person(site) -> None:
    place = site("sql")
    client = place.client()
    sample_id = client.exchange("create_sample", [sample()]).outcomes[0].external_id
    at_another_site(place.lims, "J")
    report = client.exchange("update_sample_status", [status(sample_id, "P")])
    assert only(report) == ("quarantined", "LOOKUP_REFUSED")
    assert "STATUS is 'J' there" in report.outcomes[0].reason
    assert [row["STATUS"] for row in place.lims.database.select("SAMPLE")] == ["J"]


def test_a_site_says_its_own_letters_in_the_configuration(site) -> None:
    place = site("rest")
    contract = place.client(mappings={"authorised": "R", "rejected": "J"}).contract
    assert contract.vocabularies["sample_status"].to_external["REPORTS_APPROVED"] == "R"
    assert load_contract("lims_labware_rest").vocabularies["sample_status"].to_external["REPORTS_APPROVED"] == "A"


@pytest.mark.parametrize("way", ["rest", "soap"])
def test_a_token_of_oauth_or_a_given_one_opens_the_services(site, way: str) -> None:
    place = site(way)
    assert place.client(**NO_LOGIN, **OAUTH).identity() == stand_in.USER
    assert place.client(**NO_LOGIN, auth_type="bearer", token=place.lims.tokens.give()).identity() == stand_in.USER
    with pytest.raises(AuthenticationError):
        place.client(**NO_LOGIN, auth_type="bearer", token="expired").identity()


@pytest.mark.parametrize("way", ["rest", "soap"])
@pytest.mark.parametrize(
    "change",
    [{"password": "wrong"}, {"mappings": {"datasource": "OTHER"}}, {"mappings": {"role": "ADMIN"}}],
    ids=["password", "datasource", "role"],
)
def test_a_wrong_password_datasource_or_role_is_refused(site, way: str, change: dict[str, Any]) -> None:
    with pytest.raises(AuthenticationError):
        site(way).client(**change).identity()


@pytest.mark.parametrize("way", ["rest", "soap"])
def test_a_token_that_ends_before_its_time_is_renewed_and_nothing_is_sent_twice(tmp_path: Path, way: str) -> None:
    with WAYS[way].serve(tmp_path, ("token_expires",)) as lims, Ledger.in_memory() as ledger:
        section = {**lims.section, **NO_LOGIN, **OAUTH}
        config = configured({**section, "contract": str(brisk(f"lims_labware_{way}", tmp_path))}, tmp_path)
        with LIMSClient(config=config, ledger=ledger) as client:
            report = client.exchange("create_sample", [sample(number) for number in range(50)])
        assert lims.tokens.given > 1
        assert {outcome.result.in_effect for outcome in report.outcomes} == {True}
        assert len({row["key"] for row in lims.rows("sample")}) == len(lims.rows("sample")) == 50


def test_an_answer_that_was_lost_is_found_in_the_list(site) -> None:
    place = site("files")
    place.lims.lose(1.0, seed=1)
    client = place.client()
    report = client.exchange("create_sample", [sample()])
    for _ in range(60):
        if report.outcomes[0].result.in_effect:
            break
        assert only(report) == ("deferred", "ANSWER_AWAITED")
        report = client.exchange("create_sample", [sample()])
    assert only(report) == ("adopted", "")
    assert [row["id"] for row in place.lims.rows("sample")] == [int(report.outcomes[0].external_id)]


def test_a_list_of_an_earlier_version_is_not_taken_for_the_one_that_is_open(tmp_path: Path) -> None:
    lists = tmp_path / "exchange" / "lists"
    with Ledger.in_memory() as ledger:
        with files.serve(tmp_path) as lims:
            section = {**lims.section, "contract": str(brisk("lims_labware", tmp_path, wait=0.5))}
            with LIMSClient(config=configured(section, tmp_path), ledger=ledger) as client:
                for customer in ("Solar AG", "Sun Ltd"):
                    client.exchange("create_sample", [sample(customer=customer)])
                old = (lists / "samples.csv").read_text(encoding="utf-8").replace("Sun Ltd", "Solar AG")
        (lists / "samples.csv").write_text(old, encoding="utf-8")
        # Nothing is imported any more: the third version, which is like the first, is open.
        with LIMSClient(config=configured(section, tmp_path), ledger=ledger) as client:
            for _ in range(2):
                assert only(client.exchange("create_sample", [sample()])) == ("deferred", "ANSWER_AWAITED")


def test_without_the_list_the_listing_fails_and_states_are_unclear(site) -> None:
    place = site("files")
    client = place.client()
    sample_id = client.exchange("create_sample", [sample()]).outcomes[0].external_id
    config = brisk("lims_labware", place.folder, name="nowhere.csv")
    blind = place.client(contract=str(config))
    with pytest.raises(IntegrationError, match="nowhere") as raised:
        blind.get_samples_by_status("U")
    assert raised.value.code == "LIST_MISSING"
    assert receipt(blind, sample_id) is Receipt.UNKNOWN


def test_a_listing_that_is_a_file_takes_criteria(site) -> None:
    place = site("files")
    client = place.client()
    client.exchange("create_sample", [sample(number) for number in range(3)])
    for _ in range(60):
        found = client.find_sample("SN001", "SR-1")
        if found:
            break
    assert found is not None
    assert found["TEXT_ID"] == "SN001"
    assert {row["STATUS"] for row in client.get_samples_by_status("U")} == {"U"}
    assert client.get_samples_by_status("P") == []


def test_a_row_is_refused_by_itself_and_says_why(site) -> None:
    place = site("files")
    client = place.client()
    report = client.exchange("update_sample_status", [status("12345", "P")])
    assert only(report) == ("rejected", "REJECTED")
    assert "UNKNOWN_SAMPLE" in report.outcomes[0].reason
    (name,) = [path for path in (place.folder / "exchange" / "answers").iterdir() if path.suffix == ".csv"]
    with name.open(newline="") as file:
        assert [row["RESULT"] for row in csv.DictReader(file)] == ["REFUSED"]


def test_labware_alone_means_its_import_folder_and_the_contract_names_another_way(tmp_path: Path) -> None:
    def chosen(section: str) -> SystemConfig:
        path = tmp_path / "integrations.yaml"
        path.write_text(f'lims: {{provider: "LabWare", {section}}}', encoding="utf-8")
        return load_config(path).systems["lims"]

    assert chosen("auth_type: none, options: {file_store: /srv/labware}").contract == "lims_labware"
    for way in ("rest", "soap", "sql"):
        contract = load_contract(
            chosen(f"contract: lims_labware_{way}, base_url: 'https://labware', auth_type: none").contract
        )
        assert (contract.provider, set(contract.operations) >= {"create_sample", "upload_results"}) == ("LabWare", True)


def test_statuses_are_pulled_and_pushed_by_files(site) -> None:
    place = site("files")
    with sandbox.serve(seed_plan=sandbox.SeedPlan(requests=1, modules=2, protocols=1)) as lab:
        known = lab.credentials
        login = {"username": known.framework_username, "password": known.framework_password}
        with FrameworkClient(lab.framework_url, ledger=place.ledger, **login) as framework:
            client = place.client()
            run(create_samples(framework, client, [1])).raise_for_waiting()
            assert run(pull_statuses(framework, client, [1])).counts()["updated"] == 0
            place.lims.receive()
            for _ in range(60):
                if run(pull_statuses(framework, client, [1])).counts()["updated"]:
                    break
            assert lab.service_requests()[0]["status"] == "PENDING_INSPECTION"
            lab.advance(1, "TESTING_IN_PROGRESS")
            assert run(push_statuses(framework, client, [1])).counts()["updated"] == 2
    assert {row["status"] for row in place.lims.rows("sample")} == {"P"}


def test_a_contract_without_words_for_receipt_says_so(site) -> None:
    place = site("files")
    written = yaml_text.read(Path(place.section["contract"]))
    del written["vocabularies"]["receipt"]
    path = place.folder / "silent.yaml"
    path.write_text(yaml_text.dump(written, sort_keys=False, allow_unicode=True), encoding="utf-8")
    with pytest.raises(ConfigError, match=r"silent.yaml: vocabularies has no 'receipt'"):
        receipt(place.client(contract=str(path)), "1")
