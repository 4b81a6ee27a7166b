"""Carries a service request through each product, all documented traps set; `make products` carries a whole one.

Processes are killed with SIGKILL, answers are lost, requests never arrive. In the end the stand-in's own database says
what is there, and so does the product's interface, by which each record is looked up once more.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from sandbox.products import PRODUCTS
from tests.products.reading import read_back
from tests.products.walks import Journey, Walk, open_walk


@pytest.fixture(scope="module", params=sorted(PRODUCTS))
def walk(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Walk]:
    product = PRODUCTS[request.param]
    with ExitStack() as stack:
        opened = open_walk(stack, product, tmp_path_factory.mktemp(product.name))
        Journey.OF[product.system].go(opened)
        yield opened


def test_each_record_is_there_once(walk: Walk) -> None:
    Journey.OF[walk.product.system].judge(walk)


def test_the_product_s_own_interface_shows_each_record_once_and_as_it_was_carried(walk: Walk) -> None:
    reading = read_back(walk)
    assert reading.carried
    assert not reading.without, "each of these products looks up all that it is given"
    assert {place: (found.copies, found.in_effect) for place, found in reading.shown.items()} == dict.fromkeys(
        reading.carried, (1, True)
    )
    for (kind, key), found in reading.shown.items():
        # Business Central gives an invoice another id when it is posted.
        known = {external_id for (_, other), external_id in reading.carried.items() if other == key}
        assert found.external_id in known, (kind, key)


def test_attempts_were_killed(walk: Walk) -> None:
    assert walk.killed >= Journey.OF[walk.product.system].kills


def test_the_ledger_has_every_record_in_effect(walk: Walk) -> None:
    assert {state for _, _, state in walk.counts()} == {"confirmed"}


def test_another_run_changes_nothing(walk: Walk) -> None:
    journey = Journey.OF[walk.product.system]
    before = journey.state(walk), walk.events()
    for step in journey.again:
        assert walk.step(step) == 1
    assert (journey.state(walk), walk.events()) == before
