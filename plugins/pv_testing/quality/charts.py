"""The pictures of a finding, a Pareto chart and a control chart; the same finding gives the same bytes."""

from __future__ import annotations

import io
import logging
import threading
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from pv_testing.quality.finding import CapaFinding, Stratum
from pv_testing.quality.rise import upper_limit

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PARETO = "pareto.png"
CONTROL = "control.png"
MOST_BARS = 8
MOST_LETTERS = 20
# Airflow shows pictures 300 points wide: what is drawn small stays legible there.
_WIDTH, _DPI = 4.4, 200
_BAR, _RISEN, _LINE = "#4a7a96", "#b3432b", "#3c3c3c"
_TITLES = {"criterion": "failed criterion", "model": "model", "equipment": "equipment", "protocol": "protocol"}
# Matplotlib's settings are one for the whole process.
_turn = threading.Lock()


def pareto(finding: CapaFinding) -> bytes:
    """Draw how many modules failed by criterion, model and equipment, as a PNG file's bytes.

    Args:
        finding: by protocol too, where its failures are of several.
    """
    parts = [(kind, finding.strata[kind]) for kind in _TITLES if kind != finding.kind and finding.strata.get(kind)]
    heights = [1.6 + min(len(rows), MOST_BARS) for _, rows in parts]

    def draw(figure: Figure) -> None:
        figure.suptitle(f"{finding.scope}: modules that failed", fontsize="medium")
        areas: Any = figure.subplots(len(parts), 1, squeeze=False, height_ratios=heights)[:, 0] if parts else []
        for axes, (kind, rows) in zip(areas, parts, strict=True):
            _bars(axes, _TITLES[kind], rows, finding.modules)

    return _picture(draw, height=0.6 + 0.3 * sum(heights))


def control(finding: CapaFinding) -> bytes:
    """Draw the share of failures period by period with its exact upper limit, as a PNG file's bytes.

    Args:
        finding: the last point is the window in which it was found.
    """

    def draw(figure: Figure) -> None:
        axes = figure.add_subplot(1, 1, 1)
        axes.set_title(f"{finding.scope}: failed tests, {finding.window_days} days a point", fontsize="medium")
        _points(axes, finding)
        axes.set_ylabel("failed tests, %")
        axes.set_ylim(0, 1.25 * axes.get_ylim()[1])
        axes.grid(axis="y", alpha=0.3)
        axes.legend(loc="upper left", frameon=False, fontsize="small")

    return _picture(draw, height=3.8)


CHARTS: dict[str, Callable[[CapaFinding], bytes]] = {PARETO: pareto, CONTROL: control}


def _bars(axes: Axes, title: str, rows: Sequence[Stratum], modules: int) -> None:
    """Draw one Pareto chart: bars, and the line of how many modules they have together."""
    from matplotlib.ticker import MaxNLocator

    shown = rows[:MOST_BARS]
    places = range(len(shown))
    names = [_shortened(row.name) for row in shown]
    axes.barh(places, [row.modules for row in shown], color=_BAR)
    axes.plot([row.together for row in shown], places, color=_LINE, marker="o", markersize=3, linewidth=1)
    axes.set_yticks(places, names)
    axes.invert_yaxis()
    axes.set_title(f"by {title}" + (f", first {MOST_BARS} of {len(rows)}" if len(rows) > MOST_BARS else ""), loc="left")
    axes.set_xlim(0, modules * 1.5)
    axes.xaxis.set_major_locator(MaxNLocator(4, integer=True))
    for place, row in enumerate(shown):
        axes.annotate(f"  {row.modules}, Σ {row.together / modules:.0%}", (row.together, place), va="center")


def _shortened(name: str) -> str:
    return name if len(name) <= MOST_LETTERS else f"{name[: MOST_LETTERS - 1]}…"


def _points(axes: Axes, finding: CapaFinding) -> None:
    signal, periods = finding.signal, finding.chart
    tested = [place for place, period in enumerate(periods) if period.tested]
    shares = [100 * periods[place].failed / periods[place].tested for place in tested]
    axes.plot(tested, shares, color=_LINE, marker="o", label="failed")
    names = [f"{period.until}  {period.failed}/{period.tested}" for period in periods]
    axes.set_xticks(range(len(periods)), names, rotation=90, fontsize="small")
    if not signal.known:
        return
    limits = [100 * upper_limit(periods[place].tested, signal.usual_rate) for place in tested]
    axes.step(tested, limits, where="mid", color=_RISEN, linestyle="--", label="upper limit, exact")
    axes.axhline(100 * signal.usual_rate, color=_BAR, label=f"usual, {signal.usual_rate:.1%}")
    above: dict[int, float] = {}
    for place, share, limit in zip(tested, shares, limits, strict=True):
        if share > limit:
            above[place] = share
    axes.plot(list(above), list(above.values()), "o", color=_RISEN, markersize=9)


def _picture(draw: Callable[[Figure], None], height: float) -> bytes:
    """Return a drawing as PNG, independent of this machine's settings of matplotlib."""
    # The first import makes a list of fonts and says so, which is no news for the log of a task.
    logging.getLogger("matplotlib.font_manager").setLevel(logging.WARNING)
    import matplotlib as mpl
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    with _turn, mpl.rc_context():
        mpl.rcdefaults()
        figure: Any = Figure(figsize=(_WIDTH, height), dpi=_DPI, layout="constrained")
        FigureCanvasAgg(figure)
        draw(figure)
        sink = io.BytesIO()
        figure.savefig(sink, format="png", metadata={"Software": None})
    return sink.getvalue()
