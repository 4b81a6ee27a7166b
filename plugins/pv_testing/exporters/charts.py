"""The charts of a workbook, drawn by openpyxl on a sheet that also holds what they show."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from pv_testing.exporters.chart_data import Curve, Stress
from pv_testing.transports.files.excel_writer import Draw

if TYPE_CHECKING:
    from openpyxl import Workbook

SHEET = "Charts"
WIDTH, HEIGHT = 24.0, 11.0
"""Of a chart, in centimetres."""
BELOW = 24
"""Rows from one chart to the next."""
DATA = 18
"""The column where the numbers of the charts begin."""
BLUE, ORANGE, RED = "1F77B4", "FF7F0E", "D62728"
COLOURS = (BLUE, ORANGE, "2CA02C", "9467BD", "8C564B", "E377C2", "7F7F7F", "17BECF")


def drawing(curves: Sequence[Curve], stresses: Sequence[Stress]) -> Draw | None:
    """Return what adds the sheet with charts to a workbook; ``None`` where there is nothing to show.

    Args:
        curves: I-V curves.
        stresses: what stresses have cost modules.
    """
    if not curves and not stresses:
        return None

    def draw(book: Workbook) -> None:
        from openpyxl.worksheet.properties import PageSetupProperties

        sheet = book.create_sheet(SHEET)
        sheet.print_area = f"A1:P{3 * BELOW}"
        sheet.sheet_properties.pageSetUpPr = PageSetupProperties(fitToPage=True)
        row, column = 1, DATA
        if curves:
            sheet.add_chart(_iv(sheet, curves, column), f"A{row}")
            row, column = row + BELOW, column + 2 * len(curves) + 1
        if stresses:
            block = _block(sheet, stresses, column)
            sheet.add_chart(_power(sheet, stresses, column), f"A{row}")
            if any(each.loss is not None for each in stresses):
                sheet.add_chart(_loss(sheet, stresses, column, block), f"A{row + BELOW}")

    return draw


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
    return chart


def _block(sheet: Any, stresses: Sequence[Stress], column: int) -> int:
    """Write the numbers of the stresses, and return their last row."""
    unit = stresses[0].unit or "W"
    headings = ("Module, stress", f"Before [{unit}]", f"After [{unit}]", "Degradation [%]", "Limit [%]")
    for offset, heading in enumerate(headings):
        sheet.cell(1, column + offset, heading)
    for row, each in enumerate(stresses, start=2):
        for offset, value in enumerate((each.name, each.before, each.after, each.loss, each.limit)):
            sheet.cell(row, column + offset, value)
    return len(stresses) + 1


def _power(sheet: Any, stresses: Sequence[Stress], column: int) -> Any:
    from openpyxl.chart import BarChart, Reference

    last = len(stresses) + 1
    chart = BarChart()
    _titled(chart, "Maximum power before and after each stress", "", f"Maximum power [{stresses[0].unit or 'W'}]")
    chart.add_data(
        Reference(sheet, min_col=column + 1, max_col=column + 2, min_row=1, max_row=last), titles_from_data=True
    )
    chart.set_categories(Reference(sheet, min_col=column, min_row=2, max_row=last))
    chart.y_axis.scaling.min = 0  # bars that begin elsewhere would show a small loss as a large one
    for series, colour in zip(chart.series, (BLUE, ORANGE), strict=True):
        series.graphicalProperties.solidFill = colour
    return chart


def _loss(sheet: Any, stresses: Sequence[Stress], column: int, last: int) -> Any:
    from openpyxl.chart import BarChart, LineChart, Reference

    names = Reference(sheet, min_col=column, min_row=2, max_row=last)
    chart = BarChart()
    _titled(chart, "Degradation by module, with its limit", "", "Degradation [%]")
    chart.add_data(Reference(sheet, min_col=column + 3, min_row=1, max_row=last), titles_from_data=True)
    chart.set_categories(names)
    chart.series[0].graphicalProperties.solidFill = BLUE
    if any(each.limit is not None for each in stresses):
        limit = LineChart()
        limit.add_data(Reference(sheet, min_col=column + 4, min_row=1, max_row=last), titles_from_data=True)
        limit.set_categories(names)
        _line(limit.series[0], RED)
        chart += limit
    return chart


def _titled(chart: Any, title: str, across: str, upward: str) -> None:
    chart.title, chart.y_axis.title = title, upward
    chart.x_axis.title = across or None
    chart.width, chart.height = WIDTH, HEIGHT
    chart.x_axis.delete = chart.y_axis.delete = False  # else Excel hides the axes
    chart.legend.position = "b"


def _line(series: Any, colour: str) -> None:
    series.marker.symbol = "none"
    series.smooth = False
    series.graphicalProperties.line.solidFill = colour
    series.graphicalProperties.line.width = 22_000
