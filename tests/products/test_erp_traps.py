"""What ERPs are known to do: each stand-in does it, and an invoice is posted once, with our total, or waits visibly."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path

import pytest

from pv_testing.core.errors import Conflict, Rejected
from pv_testing.integrations import ERPClient
from pv_testing.ledger import Ledger
from sandbox.products import PRODUCTS, ErpStandIn, netsuite
from sandbox.products.books import TAX_PER_LINE
from sandbox.seed import CUSTOMERS
from tests.contract.erp import ErpSite
from tests.products.test_erp_clients import site_of

ERPS = ["business-central", "erpnext", "netsuite", "odoo", "odoo-xmlrpc", "s4hana"]
LONG = "SR-2025-" + "0" * 40


@contextmanager
def opened(name: str, folder: Path, *traps: str) -> Iterator[tuple[ErpStandIn, ErpSite, ERPClient]]:
    """Serve a product with traps, and give it with a client."""
    (folder / "product").mkdir()
    with PRODUCTS[name].serve(folder / "product", traps) as stand_in:
        stand_in.know_customer(CUSTOMERS[0])
        site = site_of(stand_in, folder)
        with site.client(Ledger.in_memory(quiet=True)) as erp:
            yield stand_in, site, erp


def drafted(site: ErpSite, erp: ERPClient, *prices: str, **other: str) -> tuple[str, str]:
    """Make a draft, and return its reference and id."""
    wanted = site.invoice(str(erp.find_customer(site.customer)["id"]), *prices, **other)
    report = erp.create_invoices([wanted])
    report.raise_for_waiting()
    return wanted["reference"], report.external_ids()[wanted["reference"]]


@pytest.mark.parametrize("name", ERPS)
def test_what_the_erp_rounds_otherwise_stays_a_draft(name: str, tmp_path: Path) -> None:
    with opened(name, tmp_path, TAX_PER_LINE) as (stand_in, site, erp):
        _, invoice_id = drafted(site, erp, "350.00", "1000.00")
        with pytest.raises(Rejected) as refused:
            erp.post_invoice(invoice_id, "4819.50")
        assert refused.value.code == "AMOUNTS_DIFFER"
        assert "where 4819.50 is to be billed" in refused.value.message
        (row,) = stand_in.rows("invoice")
        assert not row["posted"]
        assert row["total"] != Decimal("4819.50")


@pytest.mark.parametrize("name", ERPS)
def test_all_traps_together_neither_double_nor_lose_a_posting(name: str, tmp_path: Path) -> None:
    with opened(name, tmp_path, *PRODUCTS[name].traps()) as (stand_in, site, erp):
        reference, invoice_id = drafted(site, erp)
        for _ in range(2):
            erp.post_invoice(invoice_id, "1249.50")
        (row,) = stand_in.rows("invoice")
        assert (row["key"], row["posted"], row["total"]) == (reference, True, Decimal("1249.50"))


def test_an_id_that_changes_on_posting_is_followed(tmp_path: Path) -> None:
    with opened("business-central", tmp_path, "new_id_on_posting") as (_, site, erp):
        reference, draft = drafted(site, erp)
        posted = erp.exchange("post_invoice", [_posting(reference, draft)])
        (new,) = posted.external_ids().values()
        assert new != draft
        assert erp.get_invoice_status(new) == "POSTED"
        assert erp.find_invoice(reference)["invoice_id"] == new


def _posting(reference: str, invoice_id: str):
    from pv_testing.integrations import erp_records

    return erp_records.posting(reference, invoice_id, "1249.50")


@pytest.mark.parametrize("name", ["business-central", "s4hana"])
def test_a_key_of_more_than_35_characters_is_refused_before_it_is_sent(name: str, tmp_path: Path) -> None:
    with opened(name, tmp_path) as (stand_in, site, erp):
        report = erp.create_invoices([site.invoice(str(erp.find_customer(site.customer)["id"]), reference=LONG)])
        assert [outcome.code for outcome in report.outcomes] == ["TOO_LONG"]
        assert stand_in.rows("invoice") == []


@pytest.mark.parametrize("name", ERPS)
def test_fewer_and_more_lines_are_written_into_the_draft(name: str, tmp_path: Path) -> None:
    with opened(name, tmp_path) as (stand_in, site, erp):
        customer = str(erp.find_customer(site.customer)["id"])
        wanted = site.invoice(customer, "350.00")
        more = site.invoice(customer, "10.00", "20.00", reference=wanted["reference"])
        fewer = {**more, "line_items": more["line_items"][1:]}
        for invoice, net, lines in ((wanted, "1050.00", 1), (more, "90.00", 2), (fewer, "60.00", 1)):
            erp.create_invoices([invoice]).raise_for_waiting()
            (row,) = stand_in.rows("invoice")
            assert (row["net"], row["lines"]) == (Decimal(net), lines)


def test_a_draft_that_somebody_has_changed_meanwhile_is_not_overwritten(tmp_path: Path) -> None:
    with opened("business-central", tmp_path) as (_, site, erp):
        _, invoice_id = drafted(site, erp)
        with pytest.raises(Conflict) as refused:
            _patch_with_old_etag(erp, invoice_id)
        assert refused.value.code == "CHANGED_MEANWHILE"


def _patch_with_old_etag(erp: ERPClient, invoice_id: str) -> None:
    from pv_testing.core.sync import run

    async def patch() -> None:
        provider = await erp.provider()
        await provider.session.request(
            "PATCH",
            f"/salesInvoices({invoice_id})",
            json={"dueDate": "2026-12-24"},
            headers={"If-Match": 'W/"0"'},
            classify=erp.contract.classify("create_invoice"),
        )

    run(patch())


def test_messages_as_json_within_json_are_read(tmp_path: Path) -> None:
    with opened("erpnext", tmp_path) as (_, site, erp):
        wanted = site.invoice(CUSTOMERS[0])
        wanted["line_items"][0]["protocol_id"] = "UNKNOWN"
        (outcome,) = erp.create_invoices([wanted]).outcomes
        assert (outcome.result, outcome.code) == ("rejected", "LinkValidationError")
        assert outcome.reason == "Could not find Row #1: Item: UNKNOWN"


def test_an_account_that_posts_at_once_is_noticed(tmp_path: Path) -> None:
    with opened("netsuite", tmp_path, "no_approval_routing") as (_, site, erp):
        wanted = site.invoice(str(erp.find_customer(site.customer)["id"]))
        (outcome,) = erp.create_invoices([wanted]).outcomes
        assert (outcome.result, outcome.code) == ("rejected", "NOT_A_DRAFT")
        assert "before its total was compared" in outcome.reason


def test_a_token_is_refused_for_a_signature_of_another_key(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    with (
        opened("netsuite", tmp_path) as (_, site, _erp),
        netsuite.serve(tmp_path / "other") as other,
        site.client(Ledger.in_memory(quiet=True), signing_key=other.section["signing_key"]) as stranger,
        pytest.raises(Exception, match="refuses the credentials"),
    ):
        stranger.find_customer(CUSTOMERS[0])


def test_what_sap_says_besides_is_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    with opened("s4hana", tmp_path, "sap_message") as (_, site, erp):
        drafted(site, erp)
    assert "Customer data is incomplete" in caplog.text


def test_a_lost_session_gets_another_token(tmp_path: Path) -> None:
    with opened("s4hana", tmp_path, "session_lost") as (stand_in, site, erp):
        for _ in range(4):
            drafted(site, erp)
        assert len(stand_in.rows("invoice")) == 4
