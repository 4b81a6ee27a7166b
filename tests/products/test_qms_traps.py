"""The documented traps of the QMS's, each met by the client of a QMS."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from pv_testing.config import load_config
from pv_testing.core.errors import AuthenticationError, Rejected
from pv_testing.integrations import QMSClient
from pv_testing.ledger import Ledger
from sandbox.products import PRODUCTS, StandIn
from sandbox.products import salesforce as org
from tests.products.qms import quick_section, write_section

NAMES = ("salesforce", "sap-qm", "veeva")
REPORTS = 12


@contextmanager
def client(stand_in: StandIn, folder: Path, ledger: Ledger, **other: Any) -> Iterator[QMSClient]:
    section = {**quick_section(stand_in, folder), **other}
    config = load_config(write_section(folder, "qms", section)).systems["qms"].ready()
    qms = QMSClient(config=config, ledger=ledger)
    try:
        yield qms
    finally:
        qms.close()


def report(number: int, **other: Any) -> Mapping[str, Any]:
    """Return a report on a failed execution."""
    item = {"type": "Sample", "id": f"SN{number:03}", "quantity": 1}
    given = {"execution_id": number, "title": f"PVTP-018 failed on SN{number:03}", "description": "Pmax is too low"}
    more = {"severity": "Major", "affected_items": [item], "detection_date": "2025-11-12T10:00:00Z"}
    cause = {"root_cause_analysis": {"immediate_cause": "To be found"}, "proposed_corrective_action": "Repeat the test"}
    return {**given, **more, **cause, "serial_number": f"SN{number:03}", "protocol_id": "PVTP-018", **other}


@pytest.mark.parametrize("name", NAMES)
def test_every_report_is_there_once_with_all_traps_set(name: str, tmp_path: Path) -> None:
    product = PRODUCTS[name]
    with product.serve(tmp_path, product.traps()) as stand_in, Ledger("sqlite://") as ledger:
        with client(stand_in, tmp_path, ledger) as qms:
            qms.create_nc_reports([report(number) for number in range(1, REPORTS + 1)])
            qms.create_nc_reports([report(number) for number in range(1, REPORTS + 1)])
        keys = [row["key"] for row in stand_in.rows("non_conformance")]
    assert sorted(keys) == sorted(str(number) for number in range(1, REPORTS + 1))


@pytest.mark.parametrize("name", NAMES)
def test_a_ledger_that_knows_nothing_makes_no_second_report(name: str, tmp_path: Path) -> None:
    with PRODUCTS[name].serve(tmp_path) as stand_in:
        for _ in range(2):
            with Ledger("sqlite://") as ledger, client(stand_in, tmp_path, ledger) as qms:
                qms.create_nc_report(**report(1))
        assert len(stand_in.rows("non_conformance")) == 1


@pytest.mark.parametrize("name", NAMES)
def test_a_change_goes_to_the_record_that_is_there(name: str, tmp_path: Path) -> None:
    with PRODUCTS[name].serve(tmp_path) as stand_in, Ledger("sqlite://") as ledger:
        with client(stand_in, tmp_path, ledger) as qms:
            first = qms.create_nc_report(**report(1))
            second = qms.create_nc_report(**report(1, description="Pmax is far too low"))
        assert first["id"] == second["id"]
        assert len(stand_in.rows("non_conformance")) == 1


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("salesforce", {"client_secret": "wrong"}),
        ("sap-qm", {"password": "wrong"}),
        ("veeva", {"password": "wrong"}),
    ],
)
def test_wrong_credentials_are_said(name: str, wrong: Mapping[str, str], tmp_path: Path) -> None:
    with PRODUCTS[name].serve(tmp_path) as stand_in, Ledger("sqlite://") as ledger:
        with client(stand_in, tmp_path, ledger, **wrong) as qms, pytest.raises(AuthenticationError) as caught:
            qms.create_nc_report(**report(1))
        assert "wrong" not in str(caught.value)


def test_vault_refuses_a_record_under_200(tmp_path: Path) -> None:
    with PRODUCTS["veeva"].serve(tmp_path) as stand_in, Ledger("sqlite://") as ledger:
        other = {"mappings": {"major_value": "unknown__c"}}
        with client(stand_in, tmp_path, ledger, **other) as qms, pytest.raises(Rejected, match="picklist"):
            qms.create_nc_report(**report(1))


def test_a_vaults_session_that_ends_is_renewed(tmp_path: Path) -> None:
    with PRODUCTS["veeva"].serve(tmp_path, {"session_ends"}) as stand_in, Ledger("sqlite://") as ledger:
        with client(stand_in, tmp_path, ledger) as qms:
            qms.create_nc_reports([report(number) for number in range(20)])
        assert len(stand_in.rows("non_conformance")) == 20
        assert stand_in.logins > 1  # type: ignore[attr-defined]


def test_two_records_under_one_key_wait_for_a_person(tmp_path: Path) -> None:
    with org.serve(tmp_path) as stand_in, Ledger("sqlite://") as ledger, client(stand_in, tmp_path, ledger) as qms:
        qms.create_nc_report(**report(1))
        stand_in.copy("1")
        with pytest.raises(Rejected, match="several records carry the business key"):
            qms.create_nc_report(**report(1, description="Pmax is far too low"))


@pytest.mark.parametrize("provider", ["TrackWise Digital", "ComplianceQuest", "Salesforce"])
def test_each_products_name_chooses_the_contract(provider: str, tmp_path: Path) -> None:
    with org.serve(tmp_path, provider=provider) as stand_in:
        config = load_config(write_section(tmp_path, "qms", stand_in.section)).systems["qms"]
        assert config.contract == "qms_salesforce"


@pytest.mark.parametrize("provider", ["Microsoft Project", "MSProject", "MS Project"])
def test_each_name_of_microsoft_project_chooses_its_contract(provider: str, tmp_path: Path) -> None:
    section = {"provider": provider, "auth_type": "none", "options": {"file_store": str(tmp_path)}}
    assert load_config(write_section(tmp_path, "pm", section)).systems["pm"].contract == "pm_microsoft_project"


def test_simple_salesforce_upserts_and_queries_at_the_stand_in(tmp_path: Path) -> None:
    library = pytest.importorskip("simple_salesforce", reason="simple-salesforce is not installed")
    import requests
    from requests.adapters import HTTPAdapter

    class Plain(HTTPAdapter):  # the client knows TLS alone
        def send(self, request: Any, *given: Any, **more: Any) -> Any:
            request.url = request.url.replace("https://", "http://")
            return super().send(request, *given, **more)

    with org.serve(tmp_path) as stand_in:
        given = {"grant_type": "client_credentials", "client_id": org.CLIENT_ID, "client_secret": org.CLIENT_SECRET}
        token = requests.post(f"{stand_in.origin}/services/oauth2/token", data=given, timeout=5).json()
        known = {"instance_url": token["instance_url"], "session_id": token["access_token"]}
        session = requests.Session()
        session.mount("https://", Plain())
        client = library.Salesforce(**known, version="62.0", session=session)
        path = f"{org.KEY}/PVTP-018%2F1"
        kind = client.CAPA__c
        assert kind.upsert(path, {"Name": "First", "Problem__c": "Low Pmax"}) == 201
        assert kind.upsert(path, {"Name": "Second"}) == 200
        found = client.query(f"SELECT Id, Name, Problem__c FROM CAPA__c WHERE {org.KEY} = 'PVTP-018/1'")
        assert [(each["Name"], each["Problem__c"]) for each in found["records"]] == [("Second", "Low Pmax")]
        stand_in.copy("PVTP-018/1")
        with pytest.raises(library.exceptions.SalesforceMoreThanOneRecord):
            kind.upsert(path, {"Name": "Third"})
        with pytest.raises(library.exceptions.SalesforceMalformedRequest, match="No such column"):
            client.query("SELECT Nothing__c FROM CAPA__c")
        assert client.api_usage["api-usage"].total == 15000
