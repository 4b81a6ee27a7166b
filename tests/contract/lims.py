"""The contract of a LIMS provider, as tests that each provider's own test module inherits.

A module that tests a provider subclasses :class:`LIMSContract` and gives a fixture ``site``. The same tests run against
the sandbox LIMS and against real products.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import pytest

from pv_testing.core.errors import AuthenticationError, NetworkError
from pv_testing.core.sync import run
from pv_testing.integrations import LIMSClient
from pv_testing.integrations.receipt import Receipt
from pv_testing.ledger import Ledger
from sandbox.proxy import serve_proxy

_numbers = itertools.count(int(time.time()) % 1_000_000 * 100)


@dataclass
class LimsSite:
    """A running LIMS.

    Attributes:
        base_url: where it is.
        settings: what else its client is made with, credentials included.
        wrong: settings with credentials that are wrong.
        receive: plays the laboratory that receives the samples with these ids.
        statuses: two statuses, in the LIMS's words, that a received sample goes through.
        write: the glob on ``METHOD /path`` of requests that write, for the fault proxy.
    """

    base_url: str
    settings: dict[str, Any]
    wrong: dict[str, Any]
    receive: Callable[[list[str]], object]
    statuses: tuple[str, ...] = ()
    write: str = "POST /*"

    @contextmanager
    def client(self, ledger: Ledger | None = None, **other: Any) -> Iterator[LIMSClient]:
        """Give a client."""
        settings = {**self.settings, "base_url": self.base_url, **other}
        with LIMSClient(
            settings.pop("base_url"), ledger=ledger or Ledger.in_memory(), owner="contract", **settings
        ) as lims:
            yield lims

    @contextmanager
    def behind(self, *faults: Mapping[str, Any]) -> Iterator[str]:
        """Give the base address of the same LIMS behind a proxy with faults."""
        parts = urlsplit(self.base_url)
        with serve_proxy(f"{parts.scheme}://{parts.netloc}") as proxy:
            proxy.faults(*faults)
            yield urlunsplit((*urlsplit(proxy.url)[:2], parts.path, "", ""))


def samples(number: int) -> list[dict[str, Any]]:
    """Return samples of a service request that no test has used before."""
    request = f"SR-CT-{next(_numbers)}"
    return [
        {
            "external_id": f"{request}-SN{place:03}",
            "project_id": request,
            "sample_type": "PV Module",
            "customer": "Solar Corporation",
            "metadata": {"manufacturer": "AST", "model": "M400", "power_rating": 400},
        }
        for place in range(number)
    ]


def results(sample_id: str, pmax: float = 398.5) -> dict[str, Any]:
    """Return a result set with an execution id that no test has used before."""
    return {
        "sample_id": sample_id,
        "execution_id": str(next(_numbers)),
        "test_id": "PVTP-001",
        "test_name": "STC Power Measurement",
        "test_date": "2025-11-13T15:30:00Z",
        "operator": "O. Perez",
        "results": [
            {"analyte": "Pmax", "value": pmax, "unit": "W", "uncertainty": 1.2, "status": "PASS"},
            {"analyte": "Voc", "value": 48.2, "unit": "V", "uncertainty": 0.1, "status": "PASS"},
        ],
    }


class LIMSContract:
    """Inherited by the tests of each LIMS provider, which give the fixture ``site``."""

    @pytest.fixture
    def lims(self, site):
        with site.client() as client:
            yield client

    def test_it_knows_as_whom_the_system_knows_us(self, lims):
        assert lims.identity()

    def test_wrong_credentials_are_noticed_even_where_the_system_answers(self, site):
        with (
            LIMSClient(site.base_url, **{**site.settings, **site.wrong}) as stranger,
            pytest.raises(AuthenticationError),
        ):
            stranger.authenticate()

    def test_samples_are_created_once_and_found_by_their_business_key(self, lims):
        wanted = samples(3)
        report = lims.create_samples(wanted)
        assert report.counts()["created"] == 3, report.table()
        assert len(set(report.external_ids().values())) == 3
        assert lims.create_samples(wanted).counts()["unchanged"] == 3
        for sample in wanted:
            existing = lims.find_sample(sample["external_id"], sample["project_id"])
            assert existing is not None
            assert existing["id"] == report.external_ids()[f"{sample['project_id']}/{sample['external_id']}"]
        assert lims.find_sample("no such module", wanted[0]["project_id"]) is None

    def test_samples_are_listed_by_status_in_the_words_of_the_contract(self, lims):
        wanted = samples(2)
        ids = set(lims.create_samples(wanted).external_ids().values())
        waiting = [sample for sample in lims.get_samples_by_status(self.awaited(lims)) if sample["id"] in ids]
        assert {(s["external_id"], s["project_id"], s["status"]) for s in waiting} == {
            (sample["external_id"], sample["project_id"], self.awaited(lims)) for sample in wanted
        }

    @staticmethod
    def awaited(lims: LIMSClient) -> str:
        """The system's word for a sample that is awaited, as the contract has it."""
        return lims.contract.vocabularies["receipt"].to_external["AWAITED"]

    def test_receipt_is_what_the_system_says_of_each_sample(self, site, lims):
        ids = lims.create_samples(samples(2)).external_ids()
        first, second = ids
        site.receive([ids[first]])
        assert run(lims.areceipts(ids)) == {first: Receipt.RECEIVED, second: Receipt.AWAITED}

    def test_results_are_uploaded_once_and_amended_when_they_change(self, site, lims):
        (sample_id,) = lims.create_samples(samples(1)).external_ids().values()
        site.receive([sample_id])
        result = results(sample_id)
        created = lims.upload_result_sets([result])
        assert created.counts()["created"] == 1, created.table()
        assert lims.upload_result_sets([result]).counts()["unchanged"] == 1
        changed = {**result, "results": [{**result["results"][0], "value": 391.5}, result["results"][1]]}
        amended = lims.upload_result_sets([changed])
        assert amended.counts()["updated"] == 1, amended.table()

    def test_statuses_follow_and_are_not_sent_twice(self, site, lims):
        (sample_id,) = lims.create_samples(samples(1)).external_ids().values()
        site.receive([sample_id])
        for status in site.statuses:
            lims.update_sample_status(sample_id, status)
            again = lims.update_sample_statuses([{"sample_id": sample_id, "status": status}])
            assert again.counts()["unchanged"] == 1

    @pytest.mark.parametrize("kind", ["drop_after", "truncate", "html", "drop_before"])
    def test_a_lost_or_garbled_answer_makes_neither_a_double_nor_a_gap(self, site, kind):
        wanted = samples(3)
        with (
            site.behind({"route": site.write, "kind": kind, "times": 1}) as address,
            site.client(base_url=address) as lims,
        ):
            report = lims.create_samples(wanted)
        assert not report.not_in_effect(), report.table()
        with site.client() as lims:
            listed = [
                s for s in lims.get_samples_by_status(self.awaited(lims)) if s["project_id"] == wanted[0]["project_id"]
            ]
        assert sorted(s["external_id"] for s in listed) == sorted(s["external_id"] for s in wanted)

    def test_a_system_that_cannot_be_reached_leaves_nothing_claimed(self, site, tmp_path):
        wanted = samples(2)
        with Ledger(f"sqlite:///{tmp_path / 'ledger.sqlite'}") as ledger:
            with site.client(ledger, base_url="http://127.0.0.1:9") as nowhere:
                report = nowhere.create_samples(wanted)
                with pytest.raises(NetworkError):
                    report.raise_for_waiting()
            with site.client(ledger) as lims:
                assert lims.create_samples(wanted).counts()["created"] == 2
