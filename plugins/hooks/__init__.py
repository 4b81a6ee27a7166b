"""From an Airflow connection to a client: one hook a system, and one for the ledger."""
