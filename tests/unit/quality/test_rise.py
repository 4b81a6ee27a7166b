"""The exact test and the limits have the values that textbooks and scipy's own tests give."""

from __future__ import annotations

from fractions import Fraction
from math import comb

import pytest

from pv_testing.quality.rise import RateComparison, level, probability, upper_limit


@pytest.mark.parametrize("table", [(7, 12, 0, 40), (6, 40, 9, 480), (3, 10, 2, 9), (0, 5, 1, 8), (5, 5, 0, 0)])
def test_one_protocol_is_fishers_exact_test(table):
    from scipy import stats  # takes a second, which each process that collects the tests would spend

    failed, tested, usually_failed, usually_tested = table
    expected = stats.fisher_exact(
        [[failed, tested - failed], [usually_failed, usually_tested - usually_failed]], alternative="greater"
    ).pvalue
    assert probability([RateComparison(*table)]) == pytest.approx(expected, rel=0.006)


@pytest.mark.parametrize("table", [(3, 40, 20, 30), (30, 1_500, 900, 60_000), (2, 70_000, 0, 200_000)])
def test_many_tests_are_added_up_exactly(table):
    failed, tested, usually_failed, usually_tested = table
    failures, others = failed + usually_failed, tested + usually_tested - failed - usually_failed
    ways = [comb(failures, each) * comb(others, tested - each) for each in range(failed, min(failures, tested) + 1)]
    exact = Fraction(sum(ways), comb(failures + others, tested))
    assert probability([RateComparison(*table)]) == float(f"{float(exact):.3g}")


def test_tea_with_milk():
    assert probability([RateComparison(3, 4, 1, 4)]) == pytest.approx(17 / 70, rel=0.003)


def test_several_protocols_are_added_up_each_against_its_own_baseline():
    # 1 of 2 against 0 of 2, twice: of the pairs only (1, 1) is as extreme, with probability (1/2) * (1/2).
    assert probability([RateComparison(1, 2, 0, 2), RateComparison(1, 2, 0, 2)]) == pytest.approx(0.25)


def test_a_change_in_what_is_tested_is_no_rise():
    # The hard test fails half of the modules and the easy one hardly any, as ever; only now the hard one is done more.
    hard, easy = RateComparison(20, 40, 50, 100), RateComparison(0, 1, 5, 1000)
    assert probability([hard, easy]) > 0.4
    together = RateComparison(20, 41, 55, 1100)
    assert probability([together]) < 1e-12


def test_without_a_baseline_nothing_is_a_rise():
    assert probability([RateComparison(12, 12, 0, 0)]) == 1.0
    assert probability([]) == 1.0


@pytest.mark.parametrize(("days", "scopes", "expected"), [(30, 32, 1 / (32 * 121.667)), (5, 1, 1 / 365), (365, 0, 0.1)])
def test_the_allowance_is_shared_out(days, scopes, expected):
    assert level(1.0, scopes, days) == pytest.approx(expected, rel=0.01)


def test_the_control_limit_is_exceeded_by_chance_less_often_than_0_135_percent():
    from scipy import stats

    assert (upper_limit(0, 0.1), upper_limit(40, 0.0), upper_limit(40, 1.0)) == (1.0, 0.0, 1.0)
    for tested, rate in [(12, 0.05), (40, 0.02), (400, 0.1), (60_000, 0.003)]:
        limit = round(upper_limit(tested, rate) * tested)
        assert stats.binom.sf(limit, tested, rate) < 0.00135 <= stats.binom.sf(limit - 1, tested, rate)
