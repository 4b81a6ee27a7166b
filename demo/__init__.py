"""A laboratory on one machine: the sandbox systems, Airflow beside them, and one service request carried through both.

``make demo`` runs ``python -m demo``. The test that runs the DAGs through a real scheduler uses its launcher.
"""
