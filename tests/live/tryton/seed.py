# ruff: noqa: E402
"""Makes a laboratory's books in an empty Tryton: company, accounts, tax, terms, products, customers and users.

Runs under the Python of Tryton's own virtual environment: ``seed.py CONFIGURATION DATABASE PLAN``.
"""

import json
import sys
from datetime import date
from decimal import Decimal
from pathlib import Path

from trytond import config as trytond_config

CONFIGURATION, DATABASE, PLAN = sys.argv[1:]
trytond_config.update_etc(CONFIGURATION)

from proteus import Model, config
from trytond.modules.account.tests.tools import create_chart, create_fiscalyear, create_tax, get_accounts
from trytond.modules.account_invoice.tests.tools import set_fiscalyear_invoice_sequences
from trytond.modules.company.tests.tools import create_company, get_company
from trytond.modules.currency.tests.tools import get_currency

plan = json.loads(Path(PLAN).read_text(encoding="utf-8"))
config.set_trytond(DATABASE, config_file=CONFIGURATION)


def new(model, **fields):
    """Make and save a record."""
    record = Model.get(model)(**fields)
    record.save()
    return record


create_company(party=new("party.party", name=plan["company"]), currency=get_currency(plan["currency"]))
get_currency(plan["other_currency"])
company = get_company()
config.get_config()._context["company"] = company.id

for year in plan["years"]:
    fiscal_year = create_fiscalyear(company, (date(year, 1, 1), date(year, 12, 31)))
    set_fiscalyear_invoice_sequences(fiscal_year).click("create_period")
create_chart(company)
accounts = get_accounts(company)
tax = create_tax(Decimal(plan["tax_rate"]))
tax.save()

for days in plan["payment_days"]:
    term = Model.get("account.invoice.payment_term")(name=f"{days} days net")
    term.lines.new(type="remainder").relativedeltas.new(days=days)
    term.save()

category = Model.get("product.category")(name="Testing", accounting=True)
category.account_revenue, category.account_expense = accounts["revenue"], accounts["expense"]
category.customer_taxes.append(tax)
category.save()


def product(code, name, kind, unit):
    """Make a product under its code."""
    (measure,) = Model.get("product.uom").find([("symbol", "=", unit)])
    template = Model.get("product.template")(name=name, code=code, type=kind, default_uom=measure)
    template.list_price, template.account_category = Decimal(100), category
    template.save()


for test in plan["tests"]:
    product(test["code"], test["name"], "service", "u")
for goods in plan["goods"]:
    product(goods["code"], goods["name"], "goods", goods["unit"])
for name in plan["customers"]:
    customer = Model.get("party.party")(name=name)
    if not customer.addresses:
        customer.addresses.new()
    customer.save()

(journal,) = Model.get("account.journal").find([("type", "=", "cash")], limit=1)
new(
    "account.invoice.payment.method",
    name="Cash",
    journal=journal,
    credit_account=accounts["cash"],
    debit_account=accounts["cash"],
)
for location in plan["locations"]:
    new("stock.location", **location)

Group = Model.get("res.group")
Company = Model.get("company.company")
for person in plan["users"]:
    user = Model.get("res.user")(name=person["login"].title(), login=person["login"], password=person["password"])
    for name in person["groups"]:
        (group,) = Group.find([("name", "=", name)])
        user.groups.append(group)
    user.companies.append(Company(company.id))
    user.company = Company(company.id)
    user.save()
print(f"seeded {len(plan['tests'])} products")
