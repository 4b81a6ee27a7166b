"""The steps of the laboratory's round trip, from one system's records to another's; imports no Airflow."""
