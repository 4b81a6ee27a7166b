"""MSPDI, the XML of Microsoft Project: its elements in the order of its schema, its durations and its custom texts.

Source: the schema ``mspdi_pj12.xsd`` of the Project SDK, and what MPXJ writes and reads.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

from pv_testing.core.errors import ResponseError
from pv_testing.core.reasons import Reason
from pv_testing.transports.files.xml_reader import refuse_declarations

NAMESPACE = "http://schemas.microsoft.com/project"
TEXTS = {1: 188743731, 2: 188743734, **{number: 188743986 + number for number in range(11, 31)}}
"""The field ids of the texts of a task, by their numbers."""


def _names(text: str) -> tuple[str, ...]:
    return tuple(text.split())


ORDER: Mapping[str, tuple[str, ...]] = {
    "Project": _names(
        "SaveVersion Name Title StartDate ScheduleFromStart CalendarUID MinutesPerDay MinutesPerWeek DaysPerMonth"
        " ExtendedAttributes Calendars Tasks Resources Assignments"
    ),
    "Task": _names(
        "UID ID Name Active Manual Type IsNull CreateDate Contact WBS WBSLevel OutlineNumber OutlineLevel Priority"
        " Start Finish Duration ManualStart ManualFinish ManualDuration DurationFormat Work Stop Resume ResumeValid"
        " EffortDriven Recurring OverAllocated Estimated Milestone Summary DisplayAsSummary Critical IsSubproject"
        " IsSubprojectReadOnly SubprojectName ExternalTask ExternalTaskProject EarlyStart EarlyFinish LateStart"
        " LateFinish StartVariance FinishVariance WorkVariance FreeSlack TotalSlack StartSlack FinishSlack FixedCost"
        " FixedCostAccrual PercentComplete PercentWorkComplete Cost OvertimeCost OvertimeWork ActualStart ActualFinish"
        " ActualDuration ActualCost ActualOvertimeCost ActualWork ActualOvertimeWork RegularWork RemainingDuration"
        " RemainingCost RemainingWork RemainingOvertimeCost RemainingOvertimeWork ACWP CV ConstraintType CalendarUID"
        " ConstraintDate Deadline LevelAssignments LevelingCanSplit LevelingDelay LevelingDelayFormat PreLeveledStart"
        " PreLeveledFinish Hyperlink HyperlinkAddress HyperlinkSubAddress IgnoreResourceCalendar Notes HideBar Rollup"
        " BCWS BCWP PhysicalPercentComplete EarnedValueMethod PredecessorLink ActualWorkProtected"
        " ActualOvertimeWorkProtected ExtendedAttribute Baseline OutlineCode"
    ),
    "Resource": ("UID", "ID", "Name", "Type", "IsNull", "Initials", "Group", "EmailAddress"),
    "Assignment": _names(
        "UID TaskUID ResourceUID PercentWorkComplete ActualCost ActualFinish ActualOvertimeCost ActualOvertimeWork"
        " ActualStart ActualWork ACWP Confirmed Cost CostRateTable CostVariance CV Delay Finish FinishVariance"
        " Hyperlink HyperlinkAddress HyperlinkSubAddress WorkVariance HasFixedRateUnits FixedMaterial LevelingDelay"
        " LevelingDelayFormat LinkedFields Milestone Notes Overallocated OvertimeCost OvertimeWork PeakUnits"
        " RegularWork RemainingCost RemainingOvertimeCost RemainingOvertimeWork RemainingWork ResponsePending Start"
        " Stop Resume StartVariance Units UpdateNeeded VAC Work"
    ),
}
_DURATION = re.compile(r"P(?:(\d+)D)?T?(?:([\d.]+)H)?(?:([\d.]+)M)?(?:([\d.]+)S)?")
_TAG = f"{{{NAMESPACE}}}"


def parse(content: bytes, where: str) -> Any:
    """Return the root of an MSPDI file.

    Raises:
        ResponseError: it is no MSPDI, or only a part of one.
        SecurityError: it declares a document type or entities.
    """
    from lxml import etree

    refuse_declarations(content, where)
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, remove_blank_text=True)
    try:
        root = etree.fromstring(content, parser)
    except etree.XMLSyntaxError as error:
        message = f"{where} is no XML: {error.msg}; save it as XML from Microsoft Project once more"
        raise ResponseError(message, code=Reason.FILE_UNREADABLE) from None
    if root.tag != tag("Project"):
        message = f"{where} is no MSPDI: it begins with {root.tag!r}; save it from Microsoft Project as XML"
        raise ResponseError(message, code=Reason.FILE_UNREADABLE)
    return root


def serialise(root: Any) -> bytes:
    """Return the file of a root."""
    from lxml import etree

    content: bytes = etree.tostring(root, xml_declaration=True, encoding="UTF-8", pretty_print=True, standalone=True)
    return content


def tag(name: str) -> str:
    """Return an element's full name."""
    return _TAG + name


def get(element: Any, name: str) -> str:
    """Return the text of a child; empty where there is none."""
    return str(element.findtext(tag(name)) or "")


def put(element: Any, name: str, value: object) -> Any:
    """Set the text of a child, which is made in the schema's place; ``None`` or an empty text takes it away."""
    child = element.find(tag(name))
    text = "" if value is None else str(value)
    if child is None:
        if not text:
            return None
        child = insert(element, name)
    elif not text:
        element.remove(child)
        return None
    child.text = text
    return child


def insert(element: Any, name: str) -> Any:
    """Make a child in the place that the schema gives it, after others of its name."""
    child = element.makeelement(tag(name))
    order = ORDER.get(element.tag.rpartition("}")[2], ())
    later = {tag(each) for each in order[order.index(name) + 1 :]} if name in order else set()
    for place, other in enumerate(element):
        if other.tag in later:
            element.insert(place, child)
            return child
    element.append(child)
    return child


def section(root: Any, name: str) -> Any:
    """Return a list of the project, such as ``Tasks``, which is made where it is missing."""
    element = root.find(tag(name))
    return insert(root, name) if element is None else element


def items(root: Any, names: str) -> Iterator[Any]:
    """Give the members of a list such as ``Tasks``."""
    element = root.find(tag(names))
    yield from () if element is None else element.iterchildren(tag(names.removesuffix("s")))


def text(task: Any, number: int) -> str:
    """Return a custom text of a task."""
    for each in task.iterchildren(tag("ExtendedAttribute")):
        if get(each, "FieldID") == str(TEXTS[number]):
            return get(each, "Value")
    return ""


def put_text(task: Any, number: int, value: str) -> None:
    """Set a custom text of a task."""
    for each in task.iterchildren(tag("ExtendedAttribute")):
        if get(each, "FieldID") == str(TEXTS[number]):
            task.remove(each)
    if value:
        made = insert(task, "ExtendedAttribute")
        put(made, "FieldID", TEXTS[number])
        put(made, "Value", value)


def declare_texts(root: Any, names: Mapping[int, str]) -> None:
    """Declare custom texts with the names that people see."""
    listed = section(root, "ExtendedAttributes")
    known = {get(each, "FieldID") for each in listed}
    for number, alias in names.items():
        if str(TEXTS[number]) not in known:
            made = listed.makeelement(tag("ExtendedAttribute"))
            listed.append(made)
            for name, value in (("FieldID", TEXTS[number]), ("FieldName", f"Text{number}"), ("Alias", alias)):
                put(made, name, value)


def hours(duration: str) -> Decimal | None:
    """Return a duration such as ``PT40H30M0S`` in hours."""
    match = _DURATION.fullmatch(duration)
    if not duration or match is None:
        return None
    days, whole, minutes, seconds = (Decimal(part or 0) for part in match.groups())
    return days * 24 + whole + minutes / 60 + seconds / 3600


def duration(amount: Decimal) -> str:
    """Return hours as a duration, to the second."""
    seconds = int((amount * 3600).to_integral_value())
    return f"PT{seconds // 3600}H{seconds // 60 % 60}M{seconds % 60}S"
