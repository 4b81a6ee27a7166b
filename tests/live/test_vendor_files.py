"""A whole service request, each request and answer of which is as the vendor's own file says: Prism stands between.

A product is added by one line of ``FILES``, where its vendor publishes a file and it has a stand-in.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests

import sandbox
from sandbox.products import PRODUCTS
from sandbox.products.json_server import Asked, JsonServer
from sandbox.products.serving import running
from sandbox.proxy import serve_proxy
from tests.chaos.office import write_rules
from tests.live import business_central
from tests.live.conftest import WORKER, served
from tests.live.prism import Document, Mend, Prism, VendorFile, no_content
from tests.products.test_erp_clients import site_of
from tests.products.walks import MODULES, PROTOCOLS, Journey, Walk

pytestmark = pytest.mark.live


def any_value(document: Document) -> None:
    """Let custom fields have values of any kind."""
    del document["components"]["schemas"]["TaskRequestBase"]["allOf"][1]["properties"]["custom_fields"][
        "additionalProperties"
    ]


FILES = (
    VendorFile(
        "jira",
        "jira-cloud-v3.openapi.json",
        mends=(Mend("answers with 204 are said to have JSON in them; HTTP knows no 204 with a body", no_content),),
        probe=("/rest/api/3/issue", "/rest/api/3/myself"),
        login="Basic YTpi",
    ),
    VendorFile(
        "asana",
        "asana.openapi.yaml",
        base="/api/1.0",
        mends=(Mend("values of custom fields are text in the schema, and may be numbers in its own words", any_value),),
        probe=("/tasks", "/users/me"),
    ),
    VendorFile(
        "business-central",
        business_central.FILE,
        base="/v2.0/tenant/sandbox/api/v2.0",
        mends=business_central.MENDS,
        probe=(business_central.INVOICES, business_central.INVOICES),
        nonsense={"customerNumber": "10000", "nonsense": 7},
        at_least=10,
    ),
)


@dataclass
class CalmWalk(Walk):
    """A walk in good weather: what is lost on the way can't be held against a file.

    Attributes:
        prism: stands between.
    """

    prism: Prism

    def storm(self, rate: float, seed: int = 1) -> None:
        """Let the sun shine."""

    def step(self, name: str, *, kill_after: Sequence[int] = (), attempts: int = 2) -> int:
        """Run a step and kill nothing."""
        del kill_after
        return super().step(name, attempts=attempts)


@pytest.fixture(scope="module", params=FILES, ids=lambda described: described.product)
def walk(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[CalmWalk]:
    described: VendorFile = request.param
    product, directory = PRODUCTS[described.product], tmp_path_factory.mktemp(described.product)
    with ExitStack() as stack:
        (directory / "product").mkdir()
        stand_in = stack.enter_context(product.serve(directory / "product"))
        for prism in served(Prism(described, stand_in.origin + described.base, WORKER)):
            seed = sandbox.SeedPlan(requests=1, modules=MODULES, protocols=PROTOCOLS, weak="PVTP-018")
            lab = stack.enter_context(sandbox.serve(directory / "lab", seed_plan=seed))
            proxy = stack.enter_context(serve_proxy(prism.origin))
            address = stand_in.section["base_url"].replace(stand_in.origin + described.base, proxy.url)
            section = {**stand_in.section, "base_url": address}
            write_rules(directory)
            opened = CalmWalk(directory, [proxy], lab, product, stand_in, section, prism)
            Journey.OF[product.system].go(opened)
            yield opened


def test_the_service_request_is_there(walk: CalmWalk) -> None:
    Journey.OF[walk.product.system].judge(walk)


def test_no_request_and_no_answer_breaks_the_vendors_file(walk: CalmWalk, record_property: Any) -> None:
    record_property("requests held", walk.prism.held())
    print(f"{walk.product.name}: {walk.prism.held()} requests held, {len(walk.prism.violations())} violations")
    assert walk.prism.violations() == []
    assert walk.prism.held() >= walk.prism.described.at_least


@pytest.mark.parametrize(
    "described", [each for each in FILES if all(each.probe)], ids=lambda described: described.product
)
def test_a_request_and_an_answer_that_break_the_file_are_seen(described: VendorFile) -> None:
    write, read = described.probe

    def nonsense(asked: Asked) -> tuple[int, Any]:
        del asked
        return 200, {"accountType": 7, "data": 7, "value": [{"status": "Draft", "nonsense": 7}]}

    server = JsonServer(nonsense)
    with running(server):
        for prism in served(Prism(described, server.origin, f"{WORKER}-wrong")):
            login = {"Authorization": described.login}
            asked = requests.post(prism.origin + write, json=described.nonsense, headers=login, timeout=30)
            assert asked.status_code == 422
            assert any(name in asked.text for name in described.nonsense)
            told = requests.get(prism.origin + read, headers=login, timeout=30)
            assert (told.status_code, "VIOLATIONS" in told.text) == (500, True)
            assert len(prism.violations()) == 2


def test_drafts_and_credit_notes_keep_the_file_of_business_central(tmp_path: Path, record_property: Any) -> None:
    described = next(each for each in FILES if each.product == "business-central")
    with PRODUCTS[described.product].serve(tmp_path) as stand_in:
        for prism in served(Prism(described, stand_in.origin + described.base, f"{WORKER}-drafts")):
            site = site_of(stand_in, tmp_path)
            site.base_url = site.base_url.replace(stand_in.origin + described.base, prism.origin)
            business_central.bill(site)
            record_property("requests held", prism.held())
            print(f"drafts and credit notes: {prism.held()} requests held, {len(prism.violations())} violations")
            assert prism.violations() == []
            assert prism.held() >= 25


def test_each_file_says_where_it_is_wrong() -> None:
    assert all(mend.reason for described in FILES for mend in described.mends)


def test_files_are_looked_for_where_the_environment_says(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("VENDOR_FILES", str(tmp_path))
    prism = Prism(FILES[0], "http://127.0.0.1:1", f"{WORKER}-nowhere")
    with pytest.raises(RuntimeError, match="VENDOR_FILES"):
        prism.install()
