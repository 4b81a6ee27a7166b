"""A laboratory on one machine: the sandbox systems, Airflow beside them, and one service request carried through both.

``python -m demo`` is what ``make demo`` runs. The test that runs the DAGs through a real scheduler uses its launcher.
"""
