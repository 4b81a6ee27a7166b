"""Tables as an Excel workbook, written as they come, beside what a library draws: headings, styles and charts.

``openpyxl`` makes the workbook with its headings, styles and charts; the rows are written into its sheets here. Its own
write-only mode takes ten times the time; ``rustpy-xlsxwriter`` has neither a number format for a cell nor charts, and
``xlsxwriter`` has no more than twice the speed of ``openpyxl``. See ``tests/bench/exports.py``.
"""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from itertools import chain, islice
from typing import IO, TYPE_CHECKING, Any
from xml.sax.saxutils import escape

from pv_testing.core.cells import FORMULA, is_risky, text_of
from pv_testing.core.errors import ConfigError, DataError
from pv_testing.core.reasons import Reason
from pv_testing.transports.files.chunks import Progress, Row, chunks
from pv_testing.transports.files.columns import has_any

if TYPE_CHECKING:
    from openpyxl import Workbook

PRECISION = 15
"""The significant digits of a spreadsheet's numbers; what has more is written as text."""
MOST_PLACES = 30
MOST_ROWS = 1_048_576
MOST_CHARACTERS = 32_767
NARROWEST, WIDEST = 8, 60
SEEN = 1_000
"""The rows whose texts say how wide a column is."""
LONG_AGO = (1980, 1, 1, 0, 0, 0)
INSTANT = "yyyy-mm-dd hh:mm:ss"
_EPOCH = datetime(1899, 12, 30)  # noqa: DTZ001 - a spreadsheet's points in time have no zone
EXACT = 10**PRECISION
END = b"</sheetData>"
SIZE = re.compile(rb"<dimension [^>]*/>")
"""What a sheet may say of its size, which isn't known before its rows are written; some readers would stop there."""
_MARKUP = "&<>"
_ENDS = frozenset({*FORMULA, " ", ""})
"""How text begins or ends that needs more than to be written."""
Draw = Callable[["Workbook"], None]


def write_workbook(
    file: IO[bytes],
    sheets: Mapping[str, tuple[Sequence[str], Iterable[Row]]],
    *,
    draw: Draw | None = None,
    about: str = "xlsx",
) -> None:
    """Write a workbook, each sheet with a frozen heading, a filter and columns that fit.

    Args:
        file: where to.
        sheets: columns and rows by the name of the sheet; the rows are read when they are written.
        draw: adds sheets of its own, such as charts, before these.
        about: what is written, for the log.

    Raises:
        ConfigError: a sheet can't be called so (``SHEET_UNUSABLE``), or there is none.
        DataError: a table or a text is too large for Excel (``TOO_LONG``).
    """
    if not sheets:
        raise ConfigError("a workbook needs at least one sheet", code=Reason.SHEET_UNUSABLE)
    shell = _Shell(sheets, draw)
    parts = shell.parts()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as book:
        for name, rows in shell.rows.items():
            head, _, _ = parts[name].rpartition(END)
            with book.open(_entry(name), "w", force_zip64=True) as part:
                part.write(SIZE.sub(b"", head, count=1))
                count = _write_rows(part, rows, shell.styles, about=f"{about}: {shell.sheets[name].title}")
                shell.filter_to(name, count)
                part.write(END + shell.parts()[name].rpartition(END)[2])
        for name, content in shell.parts().items():
            if name not in shell.rows:
                book.writestr(_entry(name), content)


def _entry(name: str) -> zipfile.ZipInfo:
    """Return a part that doesn't say when it was written."""
    entry = zipfile.ZipInfo(name, LONG_AGO)
    entry.compress_type = zipfile.ZIP_DEFLATED
    return entry


class _Styles:
    """The numbers of the styles that cells refer to."""

    def __init__(self, scratch: Any) -> None:
        forms = ["0", *(f"0.{'0' * places}" for places in range(1, MOST_PLACES + 1)), INSTANT, "General"]
        cells = [scratch.cell(1, column) for column in range(1, len(forms) + 1)]
        for cell, form in zip(cells, forms, strict=True):
            cell.number_format = form
        cells[-1].quotePrefix = True
        *self.places, self.instant, self.risky = (int(cell.style_id) for cell in cells)


class _Shell:
    """The workbook without its rows."""

    def __init__(self, sheets: Mapping[str, tuple[Sequence[str], Iterable[Row]]], draw: Draw | None) -> None:
        from openpyxl import Workbook

        self.book = Workbook()
        scratch = self.book.active
        self.styles = _Styles(scratch)
        self.book.remove(scratch)
        if draw is not None:
            draw(self.book)
        drawn = len(self.book.worksheets)
        self.rows: dict[str, Iterable[Row]] = {}
        self.sheets: dict[str, Any] = {}
        for place, (name, (columns, rows)) in enumerate(sheets.items(), start=drawn + 1):
            part = f"xl/worksheets/sheet{place}.xml"
            self.sheets[part] = _sheet(self.book, name, sheets)
            self.rows[part] = _headed(self.sheets[part], columns, rows)

    def filter_to(self, part: str, count: int) -> None:
        """Let the filter of a sheet reach to its last row."""
        sheet = self.sheets[part]
        sheet.auto_filter.ref = f"A1:{sheet.cell(1, sheet.max_column).column_letter}{count}"

    def parts(self) -> dict[str, bytes]:
        """Return the parts of the workbook by name."""
        self.book.properties.created = self.book.properties.modified = datetime(*LONG_AGO)  # noqa: DTZ001
        from openpyxl.writer.excel import ExcelWriter

        written = io.BytesIO()
        ExcelWriter(self.book, zipfile.ZipFile(written, "w")).save()
        with zipfile.ZipFile(written) as parts:
            return {name: parts.read(name) for name in parts.namelist()}


def _sheet(book: Any, name: str, sheets: Mapping[str, Any]) -> Any:
    names = [*sheets, *(each for each in book.sheetnames if each not in sheets)]
    unlike = len({other.casefold() for other in names}) == len(names)
    if not 0 < len(name) <= 31 or any(sign in r"[]:*?/\'" for sign in name) or not unlike:
        message = f"no sheet can be called {name[:40]!r}: 1 to 31 characters, none of []:*?/\\', and no name twice"
        raise ConfigError(message, code=Reason.SHEET_UNUSABLE)
    return book.create_sheet(name)


def _headed(sheet: Any, columns: Sequence[str], rows: Iterable[Row]) -> Iterable[Row]:
    """Write the heading, as wide as the first rows need it, and return the rows."""
    from openpyxl.styles import Font
    from openpyxl.styles.fonts import DEFAULT_FONT
    from openpyxl.utils import get_column_letter

    left = iter(rows)
    first = list(islice(left, SEEN))
    bold = Font(name=DEFAULT_FONT.name, size=DEFAULT_FONT.sz, bold=True)
    for column, name in enumerate(columns, start=1):
        cell = sheet.cell(1, column, text_of(name))
        cell.data_type = "s"
        cell.font = bold
        width = max([len(name), *(len(text_of(row[column - 1])) for row in first)])
        sheet.column_dimensions[get_column_letter(column)].width = min(max(width + 2, NARROWEST), WIDEST)
    sheet.freeze_panes = "A2"
    _printed(sheet)
    return chain(first, left)


def _printed(sheet: Any) -> None:
    """Let paper have all columns beside each other, and the heading on each page."""
    sheet.page_setup.orientation = "landscape"
    sheet.sheet_properties.pageSetUpPr.fitToPage = True
    sheet.page_setup.fitToHeight = 0
    sheet.print_title_rows = "1:1"


def _write_rows(part: IO[bytes], rows: Iterable[Row], styles: _Styles, *, about: str) -> int:
    """Write the rows behind the heading, and return the number of the last one."""
    count = 1
    for chunk in chunks(rows, Progress(about)):
        count += len(chunk)
        if count > MOST_ROWS:
            message = f"{about}: Excel holds {MOST_ROWS - 1:,} rows, and there are more; use CSV"
            raise DataError(message, code=Reason.TOO_LONG)
        columns = [_cells(column, styles) for column in zip(*chunk, strict=True)]
        part.write("".join(map("<row>%s</row>".__mod__, map("".join, zip(*columns, strict=True)))).encode())
    return count


def _cells(column: Sequence[Any], styles: _Styles) -> list[str]:
    kinds = set(map(type, column))
    if kinds == {Decimal}:
        spelled = list(map(str, column))
        joined = "".join(spelled)
        if joined.count(".") == len(spelled) and max(map(len, spelled)) <= PRECISION and "E" not in joined:
            first = styles.places[0] - 1
            return [f'<c s="{first + len(text) - text.index(".")}"><v>{text}</v></c>' for text in spelled]
    if kinds == {int} and max(map(abs, column)) < EXACT:
        return [f'<c s="{styles.places[0]}"><v>{number}</v></c>' for number in column]
    if kinds == {str}:
        known = set(column)
        if _is_harmless(known):
            return [f'<c t="inlineStr"><is><t>{text}</t></is></c>' for text in column]
        shown = {text: _cell(text, styles) for text in known}
        return [shown[text] for text in column]
    return [_cell(value, styles) for value in column]


def _is_harmless(known: Collection[str]) -> bool:
    """Say whether texts can be written as they are: seen by C code, as a call for each of a million takes long."""
    joined = "".join(known)
    ends = {text[:1] for text in known} | {text[-1:] for text in known}
    short = max(map(len, known)) <= MOST_CHARACTERS
    return short and joined.isprintable() and not has_any(_MARKUP, joined) and _ENDS.isdisjoint(ends)


def _cell(value: Any, styles: _Styles) -> str:
    if isinstance(value, datetime):
        return f'<c s="{styles.instant}"><v>{(value.replace(tzinfo=None) - _EPOCH).total_seconds() / 86_400!r}</v></c>'
    places = _places(value)
    if places is not None:
        return f'<c s="{styles.places[places]}"><v>{value}</v></c>'
    text = text_of(value)
    if not text:
        return "<c/>"
    if len(text) > MOST_CHARACTERS:
        message = f"a text has {len(text):,} characters, a cell holds {MOST_CHARACTERS:,}; use CSV"
        raise DataError(message, code=Reason.TOO_LONG)
    style = f' s="{styles.risky}"' if is_risky(text) else ""
    space = ' xml:space="preserve"' if text != text.strip() or "\n" in text else ""
    return f'<c{style} t="inlineStr"><is><t{space}>{escape(text, {chr(13): "&#13;"})}</t></is></c>'


def _places(value: Any) -> int | None:
    """Return the decimal places of a number that a spreadsheet can hold exactly; ``None`` for anything else."""
    if isinstance(value, bool) or not isinstance(value, (int, float, Decimal)):
        return None
    exact = Decimal(str(value))
    if not exact.is_finite() or len(exact.as_tuple().digits) > PRECISION or exact.adjusted() >= PRECISION:
        return None
    places = max(0, -int(exact.as_tuple().exponent))
    return places if places <= MOST_PLACES else None
