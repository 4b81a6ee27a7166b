"""Redmine 5 as project management and as QMS: what takes several steps or a second look.

The rest is ``include/mappings/pm_redmine.yaml`` and ``qms_redmine.yaml``. ``docs/how-to/redmine.md`` lists what the
steps answer to, each fact seen on a running system.
"""

from pv_testing.providers.redmine.provider import RedmineProvider

__all__ = ["RedmineProvider"]
