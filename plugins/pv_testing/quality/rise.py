"""Whether more fails than is usual in the laboratory, or whether just more is tested.

The exact test of two binomial samples (Fisher's): the tests of the window against those of the baseline. Where a scope
spreads over several protocols, each protocol is compared with its own baseline and the failures are added up, so that a
change in what is tested is no rise. A one-sample test against the baseline's rate would take the estimate for the truth
and give false alarms while the baseline is young.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from numpy import ndarray

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

    observed = 0
    spread = np.ones(1)
    for each in comparisons:
        spread = np.convolve(spread, _failures_in_the_window(each))
        observed += each.failed
    return float(f"{min(1.0, float(spread[observed:].sum())):.3g}")


def _failures_in_the_window(comparison: RateComparison) -> ndarray[Any, Any]:
    """Return the hypergeometric probabilities of 0, 1, 2 and more failures in the window, given those of both times.

    By the logarithms of binomial coefficients, as ``scipy.stats`` takes each task half a second more to import.
    """
    import numpy as np
    from scipy.special import gammaln

    def log_choose(of: Any, chosen: Any) -> Any:
        return gammaln(of + 1) - gammaln(chosen + 1) - gammaln(of - chosen + 1)  # -inf where too many are chosen

    tested = comparison.tested + comparison.usually_tested
    failed = comparison.failed + comparison.usually_failed
    in_window = np.arange(min(failed, comparison.tested) + 1)
    ways = log_choose(failed, in_window) + log_choose(tested - failed, comparison.tested - in_window)
    return np.asarray(np.exp(ways - log_choose(tested, comparison.tested)))


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
    import numpy as np
    from scipy.special import bdtrc

    exceeded = bdtrc(np.arange(tested + 1), tested, rate)  # how probable more than 0, 1, 2, … failures are
    return int(np.argmax(exceeded <= CHART_ALPHA)) / tested if tested else 1.0
