"""Whether more fails than is usual in the laboratory, or whether just more is tested.

The exact test of two binomial samples (Fisher's): the tests of the window against those of the baseline. Where a scope
spreads over several protocols, each protocol is compared with its own baseline and the failures are added up, so that a
change in what is tested is no rise. A one-sample test against the baseline's rate would take the estimate for the truth
and give false alarms while the baseline is young.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

DAYS_A_YEAR = 365
LOOKS_A_WINDOW = 10
CHART_ALPHA = 0.00135


class RateComparison(NamedTuple):
    """One protocol in the window and in the baseline; a module counts once in each.

    Attributes:
        failed: modules that failed in the window.
        tested: modules that were tested in the window.
        usually_failed: modules that failed in the baseline.
        usually_tested: modules that were tested in the baseline.
    """

    failed: int
    tested: int
    usually_failed: int
    usually_tested: int


def probability(comparisons: Iterable[RateComparison]) -> float:
    """Return how probable so many failures, or more, are while nothing has changed.

    Args:
        comparisons: one for each protocol.

    Returns:
        The exact probability under equal rates, given all failures and tests of each protocol; three digits of it.
    """
    import numpy as np
    from scipy.stats import hypergeom

    observed = 0
    spread = np.ones(1)
    for each in comparisons:
        tested, failed = each.tested + each.usually_tested, each.failed + each.usually_failed
        of_this = hypergeom.pmf(np.arange(min(failed, each.tested) + 1), tested, failed, each.tested)
        spread = np.convolve(spread, of_this)
        observed += each.failed
    return float(f"{min(1.0, float(spread[observed:].sum())):.3g}")


def level(false_alarms_per_year: float, scopes: int, window_days: int) -> float:
    """Return below which probability a rise counts, so that chance alone raises no more than the allowed alarms.

    The allowance is shared out evenly to every scope that is looked at and to every look. Windows of successive days
    have nearly everything in common: by the theory of scan statistics a window's length of daily looks counts as many
    as there are failures above the expected number, about five to eight here; ten are reckoned with.

    Args:
        false_alarms_per_year: in the whole laboratory.
        scopes: how many protocols, models and pieces of equipment are looked at.
        window_days: the length of the window.
    """
    looks = min(DAYS_A_YEAR, LOOKS_A_WINDOW * DAYS_A_YEAR / window_days)
    return float(f"{min(1.0, false_alarms_per_year / (max(1, scopes) * looks)):.3g}")


def upper_limit(tested: int, rate: float) -> float:
    """Return the exact upper control limit of a share of failures.

    Args:
        tested: how many were tested.
        rate: the usual share, the chart's center line.

    Returns:
        The greatest share that is exceeded with a probability below 0.00135, as beyond three standard deviations.
    """
    from scipy.stats import binom

    return float(binom.isf(CHART_ALPHA, tested, rate)) / tested if tested else 1.0
