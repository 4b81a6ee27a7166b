"""Tests: units, integration, contract of providers, Airflow, chaos, benchmarks and live systems."""
