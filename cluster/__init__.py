"""Airflow for more than one machine, on this one: the processes of ``compose.yaml``, and what may happen to them."""
