"""The charts of a workbook, drawn by openpyxl on a sheet that also holds what they show."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from pv_testing.exporters.chart_data import Curve, Stress
from pv_testing.transports.files.excel_writer import Draw

if TYPE_CHECKING:
    from openpyxl import Workbook

SHEET = "Charts"
HEIGHT, NARROWEST, WIDEST, EACH = 11.0, 24.0, 60.0, 0.5
"""Of a chart, and of each module with a stress within it, in centimetres."""
CHARACTERS, COLUMN = 9.14, 1.69
"""The width of a column of the sheet, in characters and in centimetres."""
BELOW = 24
"""Rows from one chart to the next."""
BLUE, ORANGE, RED, GREY = "1F77B4", "FF7F0E", "D62728", "D9D9D9"
COLOURS = (BLUE, ORANGE, "2CA02C", "9467BD", "8C564B", "E377C2", "7F7F7F", "17BECF")
SMALL, UPRIGHT = 800, -5_400_000
"""The size of labels in hundredths of a point, and their rotation in 60,000ths of a degree."""


def drawing(curves: Sequence[Curve], stresses: Sequence[Stress]) -> Draw | None:
    """Return what adds the sheet with charts to a workbook; ``None`` where there is nothing to show.

    Args:
        curves: I-V curves.
        stresses: what stresses have cost modules, by module.
    """
    if not curves and not stresses:
        return None

    def draw(book: Workbook) -> None:
        sheet = book.create_sheet(SHEET)
        sheet.sheet_format.defaultColWidth = CHARACTERS
        width = min(max(NARROWEST, EACH * len(stresses)), WIDEST)
        columns = math.ceil(width / COLUMN)
        charts = list(_charts(sheet, curves, stresses, columns + 3))
        for place, chart in enumerate(charts):
            chart.width, chart.height = width, HEIGHT
            sheet.add_chart(chart, f"A{1 + place * BELOW}")
        sheet.print_area = f"A1:{sheet.cell(1, columns).column_letter}{len(charts) * BELOW}"
        sheet.sheet_properties.pageSetUpPr.fitToPage = True

    return draw


def _charts(sheet: Any, curves: Sequence[Curve], stresses: Sequence[Stress], column: int) -> Iterable[Any]:
    """Write what the charts show from a column on, and give the charts."""
    if curves:
        yield _iv(sheet, curves, column)
        column += 2 * len(curves) + 1
    if stresses:
        last = _block(sheet, stresses, column)
        yield _power(sheet, stresses, column, last)
        if any(each.loss is not None for each in stresses):
            yield _loss(sheet, stresses, column, last)


def _iv(sheet: Any, curves: Sequence[Curve], column: int) -> Any:
    from openpyxl.chart import Reference, ScatterChart, Series

    chart = ScatterChart(style=13, scatterStyle="lineMarker")
    _titled(chart, "I-V curves", "Voltage [V]", "Current [A]")
    for place, curve in enumerate(curves):
        first = column + 2 * place
        sheet.cell(1, first, "Voltage [V]")
        sheet.cell(1, first + 1, curve.name)
        for row, pair in enumerate(curve.points, start=2):
            for offset, value in enumerate(pair):
                sheet.cell(row, first + offset, value)
        last = len(curve.points) + 1
        voltage = Reference(sheet, min_col=first, min_row=2, max_row=last)
        current = Reference(sheet, min_col=first + 1, min_row=1, max_row=last)
        series = Series(current, voltage, title_from_data=True)
        _line(series, COLOURS[place % len(COLOURS)])
        chart.series.append(series)
    chart.x_axis.scaling.min = chart.y_axis.scaling.min = 0
    chart.x_axis.number_format = chart.y_axis.number_format = "General"
    chart.legend.position = "r"
    return chart


def _block(sheet: Any, stresses: Sequence[Stress], column: int) -> int:
    """Write the numbers of the stresses, and return their last row; a module is named in the first of its rows."""
    unit = stresses[0].unit or "W"
    headings = ("Module", "Stress", f"Before [{unit}]", f"After [{unit}]", "Degradation [%]", "Limit [%]")
    for offset, heading in enumerate(headings):
        sheet.cell(1, column + offset, heading)
    before = ""
    for row, each in enumerate(stresses, start=2):
        module = each.module if each.module != before else None
        for offset, value in enumerate((module, each.protocol, each.before, each.after, each.loss, each.limit)):
            sheet.cell(row, column + offset, value)
        before = each.module
    return len(stresses) + 1


def _power(sheet: Any, stresses: Sequence[Stress], column: int, last: int) -> Any:
    from openpyxl.chart import LineChart, Reference

    chart = LineChart()
    _titled(chart, "Maximum power before and after each stress", "", f"Maximum power [{stresses[0].unit or 'W'}]")
    numbers = Reference(sheet, min_col=column + 2, max_col=column + 3, min_row=1, max_row=last)
    chart.add_data(numbers, titles_from_data=True)
    _named(chart, sheet, column, last)
    chart.y_axis.scaling.min = below(value for each in stresses for value in (each.before, each.after))
    for series, colour, symbol in zip(chart.series, (BLUE, ORANGE), ("circle", "diamond"), strict=True):
        _points(series, colour, symbol)
    return chart


def below(values: Iterable[Any]) -> float:
    """Return where an axis begins whose points are to be told apart: a round number below the least of them.

    Args:
        values: numbers.
    """
    numbers = [float(value) for value in values]
    least, span = min(numbers), max(numbers) - min(numbers)
    step = 10.0 ** math.floor(math.log10(span)) if span > 0 else 1.0
    return max(0.0, math.floor((least - span / 10) / step) * step)


def _loss(sheet: Any, stresses: Sequence[Stress], column: int, last: int) -> Any:
    from openpyxl.chart import BarChart, LineChart, Reference

    chart = BarChart()
    _titled(chart, "Degradation by module and stress, with its limit", "", "Degradation [%]")
    chart.add_data(Reference(sheet, min_col=column + 4, min_row=1, max_row=last), titles_from_data=True)
    _named(chart, sheet, column, last)
    chart.gapWidth = 40
    chart.series[0].graphicalProperties.solidFill = BLUE
    if any(each.limit is not None for each in stresses):
        limit = LineChart()
        limit.add_data(Reference(sheet, min_col=column + 5, min_row=1, max_row=last), titles_from_data=True)
        _named(limit, sheet, column, last)
        _line(limit.series[0], RED)
        chart += limit
    return chart


def _named(chart: Any, sheet: Any, column: int, last: int) -> None:
    """Name the points of a chart by module and, within it, by stress."""
    from openpyxl.chart import Reference
    from openpyxl.chart.data_source import AxDataSource, MultiLevelStrRef

    names = Reference(sheet, min_col=column, max_col=column + 1, min_row=2, max_row=last)
    for series in chart.series:
        series.cat = AxDataSource(multiLvlStrRef=MultiLevelStrRef(f=str(names)))
    chart.x_axis.noMultiLvlLbl = False
    chart.x_axis.tickLblSkip = 1
    chart.x_axis.txPr = _labels(UPRIGHT)


def _titled(chart: Any, title: str, across: str, upward: str) -> None:
    from openpyxl.chart.shapes import GraphicalProperties

    chart.title, chart.y_axis.title = title, upward
    chart.x_axis.title = across or None
    chart.x_axis.delete = chart.y_axis.delete = False  # else Excel hides the axes
    chart.x_axis.majorGridlines = None
    chart.y_axis.majorGridlines.spPr = GraphicalProperties(ln=_pen(GREY, 9_000))
    chart.legend.position = "b"


def _labels(rotation: int) -> Any:
    from openpyxl.chart.text import RichText
    from openpyxl.drawing.text import CharacterProperties, Paragraph, ParagraphProperties, RichTextProperties

    small = CharacterProperties(sz=SMALL)
    paragraph = Paragraph(pPr=ParagraphProperties(defRPr=small), endParaRPr=small)
    return RichText(bodyPr=RichTextProperties(rot=rotation, vert="horz"), p=[paragraph])


def _pen(colour: str, width: int) -> Any:
    from openpyxl.drawing.line import LineProperties

    return LineProperties(solidFill=colour, w=width)


def _line(series: Any, colour: str) -> None:
    series.marker.symbol = "none"
    series.smooth = False
    series.graphicalProperties.line = _pen(colour, 22_000)


def _points(series: Any, colour: str, symbol: str) -> None:
    series.marker.symbol, series.marker.size = symbol, 6
    series.marker.graphicalProperties.solidFill = colour
    series.marker.graphicalProperties.line.solidFill = colour
    series.graphicalProperties.line.noFill = True
    series.smooth = False
