"""Clients by others at our stand-ins: what they read and write judges the stand-in by another understanding."""

from __future__ import annotations

import xmlrpc.client
from pathlib import Path

import pytest

from sandbox.products import erpnext, odoo
from sandbox.seed import CUSTOMERS

DAY = "2026-11-29"


def test_odoo_json2_bills_at_the_stand_in(tmp_path: Path) -> None:
    library = pytest.importorskip("odoo_json2", reason="odoo-json2 isn't installed")
    with odoo.serve(tmp_path) as server:
        server.know_customer(CUSTOMERS[0])
        client = library.JSON2Client(server.origin, odoo.KEY, odoo.DATABASE)
        (partner,) = client.search_read("res.partner", [["name", "=", CUSTOMERS[0]]], ["name"])
        (product,) = client.search_read("product.product", [["default_code", "=", "PVTP-001"]], ["default_code"])
        line = {"product_id": product["id"], "name": "A test", "quantity": 12, "price_unit": 350.0}
        values = {"move_type": "out_invoice", "partner_id": partner["id"], "ref": "SR-1", "invoice_date": DAY}
        (move,) = client.create("account.move", [{**values, "invoice_line_ids": [[0, 0, line]]}])
        client.call("account.move", "action_post", ids=[move])
        (there,) = client.search_read("account.move", [["id", "=", move]], ["state", "amount_total"])
        assert (there["state"], there["amount_total"]) == ("posted", 4998.0)
        with pytest.raises(library.OdooJSON2Error, match="must be in draft"):
            client.call("account.move", "action_post", ids=[move])
        client.session.close()


def test_the_standard_librarys_xmlrpc_bills_at_the_stand_in(tmp_path: Path) -> None:
    with odoo.serve_xmlrpc(tmp_path) as server:
        server.know_customer(CUSTOMERS[0])
        with (
            xmlrpc.client.ServerProxy(f"{server.origin}/xmlrpc/2/common") as common,
            xmlrpc.client.ServerProxy(f"{server.origin}/xmlrpc/2/object") as models,
        ):
            assert common.authenticate(odoo.DATABASE, odoo.LOGIN, "wrong", {}) is False
            user = common.authenticate(odoo.DATABASE, odoo.LOGIN, odoo.KEY, {})
            known = (odoo.DATABASE, user, odoo.KEY)
            search = {"domain": [["name", "=", CUSTOMERS[0]]], "fields": ["name"]}
            (partner,) = models.execute_kw(*known, "res.partner", "search_read", [], search)
            values = {"move_type": "out_invoice", "partner_id": partner["id"], "ref": "SR-1"}
            line = {"product_id": 1001, "name": "A test", "quantity": 12, "price_unit": 350.0}
            create = [[{**values, "invoice_line_ids": [[0, 0, line]]}]]
            (move,) = models.execute_kw(*known, "account.move", "create", create)
            models.execute_kw(*known, "account.move", "action_post", [[move]])
            with pytest.raises(xmlrpc.client.Fault, match="must be in draft"):
                models.execute_kw(*known, "account.move", "action_post", [[move]])
        assert [row["posted"] for row in server.rows("invoice")] == [True]


def test_frappe_connector_bills_at_the_stand_in(tmp_path: Path) -> None:
    library = pytest.importorskip("frappe_connector", reason="frappe-connector isn't installed")
    key, secret = erpnext.TOKEN.removeprefix("token ").split(":")
    with erpnext.serve(tmp_path) as site:
        site.know_customer(CUSTOMERS[0])
        with library.FrappeConnector(site.origin, api_key=key, api_secret=secret) as client:
            (customer,) = client.get_list("Customer", ["name"], [["customer_name", "=", CUSTOMERS[0]]])
            line = {"item_code": "PVTP-001", "description": "A test", "qty": 12, "rate": 350.0}
            head = {"doctype": "Sales Invoice", "customer": customer["name"], "posting_date": DAY}
            made = client.create_doc({**head, erpnext.KEY_FIELD: "SR-1", "items": [line]})
            assert (made["status"], made["grand_total"]) == ("Draft", 4998.0)
            client.update_doc({"doctype": "Sales Invoice", "name": made["name"], "docstatus": 1})
            there = client.get_doc("Sales Invoice", made["name"])
            assert (there["docstatus"], there["status"]) == (1, "Unpaid")
            with pytest.raises(Exception, match="must be unique"):
                client.create_doc({**head, erpnext.KEY_FIELD: "SR-1", "items": [line]})
