"""Service requests as projects: tasks, progress, hours of people and of equipment; imports no system and no Airflow."""

from __future__ import annotations

from pv_testing.projects.durations import duration, operator_hours
from pv_testing.projects.people import address, find_available_operator
from pv_testing.projects.policy import HoursRule, ProjectRules
from pv_testing.projects.progress import ProtocolWork, progress_of, work_of

__all__ = [
    "HoursRule",
    "ProjectRules",
    "ProtocolWork",
    "address",
    "duration",
    "find_available_operator",
    "operator_hours",
    "progress_of",
    "work_of",
]
