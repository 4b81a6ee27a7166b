"""What the project adds to Airflow beside hooks and operators; those come from the provider information in ``hooks``.

Airflow runs this module twice in one process, therefore it has no side effects.
"""

from __future__ import annotations

from airflow.plugins_manager import AirflowPlugin


class PVTestingPlugin(AirflowPlugin):
    """Makes the project visible on Airflow's list of plugins."""

    name = "pv_testing"
