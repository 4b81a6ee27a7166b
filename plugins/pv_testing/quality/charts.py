"""The pictures of a finding, a Pareto chart and a control chart; the same finding gives the same bytes."""

from __future__ import annotations

import io
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from pv_testing.quality.finding import Finding
from pv_testing.quality.rise import upper_limit

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PARETO = "pareto.png"
CONTROL = "control.png"
MOST_BARS = 10
_BAR, _RISEN, _LINE, _LIMIT = "#4a7a96", "#b3432b", "#3c3c3c", "#b3432b"
_TITLES = {"criterion": "Failed criterion", "model": "Model", "equipment": "Equipment", "protocol": "Protocol"}
# Matplotlib's settings are one for the whole process.
_turn = threading.Lock()


def pareto(finding: Finding) -> bytes:
    """Draw how many modules failed by criterion, model and equipment, as a PNG file's bytes.

    Args:
        finding: by protocol too, where its failures are of several.
    """
    kinds = [kind for kind in _TITLES if kind != finding.kind and finding.strata.get(kind)]

    def draw(figure: Figure) -> None:
        figure.suptitle(f"{finding.scope}: modules that failed, {finding.since[:10]} to {finding.at[:10]}")
        for place, kind in enumerate(kinds, start=1):
            _bars(figure.add_subplot(1, len(kinds), place), _TITLES[kind], list(finding.strata[kind]), finding.modules)

    return _picture(draw, width=4.6 * max(1, len(kinds)))


def control(finding: Finding) -> bytes:
    """Draw the share of failures period by period with its exact upper limit, as a PNG file's bytes.

    Args:
        finding: the last point is the window in which it was found.
    """

    def draw(figure: Figure) -> None:
        axes = figure.add_subplot(1, 1, 1)
        axes.set_title(f"{finding.scope}: share of tests that failed, each point {finding.window_days} days")
        _points(axes, finding)
        axes.set_ylabel("failed tests, %")
        axes.set_ylim(bottom=0)
        axes.grid(axis="y", alpha=0.3)
        axes.legend(loc="upper left", frameon=False)

    return _picture(draw, width=9.2)


CHARTS: dict[str, Callable[[Finding], bytes]] = {PARETO: pareto, CONTROL: control}


def _bars(axes: Axes, title: str, rows: list[tuple[str, int]], modules: int) -> None:
    from matplotlib.ticker import MaxNLocator

    shown = rows[:MOST_BARS]
    names = [name if len(name) <= 24 else name[:23] + "…" for name, _ in shown]
    axes.bar(range(len(shown)), [number for _, number in shown], color=_BAR)
    axes.set_xticks(range(len(shown)), names, rotation=30, ha="right")
    axes.set_title(title if len(rows) <= MOST_BARS else f"{title}, the first {MOST_BARS} of {len(rows)}")
    axes.set_ylabel("modules")
    axes.set_ylim(0, modules * 1.15)
    axes.yaxis.set_major_locator(MaxNLocator(integer=True))
    for place, (_, number) in enumerate(shown):
        axes.annotate(f"{number} ({number / modules:.0%})", (place, number), ha="center", va="bottom")


def _points(axes: Axes, finding: Finding) -> None:
    signal, periods = finding.signal, finding.chart
    tested = [place for place, period in enumerate(periods) if period.tested]
    shares = [100 * periods[place].failed / periods[place].tested for place in tested]
    axes.plot(tested, shares, color=_LINE, marker="o", label="share of failures")
    axes.set_xticks(
        range(len(periods)), [f"{p.until}\n{p.failed}/{p.tested}" for p in periods], rotation=45, ha="right"
    )
    if not signal.known:
        return
    limits = [100 * upper_limit(periods[place].tested, signal.usual_rate) for place in tested]
    axes.step(tested, limits, where="mid", color=_LIMIT, linestyle="--", label="exact upper limit (0.135 %)")
    axes.axhline(100 * signal.usual_rate, color=_BAR, label=f"usual, {signal.usual_rate:.1%}")
    out = [(place, share) for place, share, limit in zip(tested, shares, limits, strict=True) if share > limit]
    axes.plot([place for place, _ in out], [share for _, share in out], "o", color=_RISEN, markersize=10)


def _picture(draw: Callable[[Figure], None], width: float) -> bytes:
    """Return a drawing as PNG, independent of this machine's settings of matplotlib."""
    import matplotlib as mpl
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    with _turn, mpl.rc_context():
        mpl.rcdefaults()
        figure: Any = Figure(figsize=(width, 4.4), dpi=100, layout="constrained")
        FigureCanvasAgg(figure)
        draw(figure)
        sink = io.BytesIO()
        figure.savefig(sink, format="png", metadata={"Software": None})
    return sink.getvalue()
