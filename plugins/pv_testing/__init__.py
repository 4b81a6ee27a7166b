"""Connects the PV Testing Protocol Framework with the systems of a laboratory; imports no Airflow."""
