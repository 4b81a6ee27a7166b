"""Jira Cloud (REST v3) and Jira Data Center (REST v2) as project management: what takes several steps or a second look.

The rest is ``include/mappings/pm_jira.yaml`` and ``pm_jira_dc.yaml``. ``docs/products/jira.md`` says what is known and
how surely.
"""

from pv_testing.providers.jira.data_center import JiraDataCenterProvider
from pv_testing.providers.jira.provider import JiraProvider

__all__ = ["JiraDataCenterProvider", "JiraProvider"]
