"""Run in processes of their own by the tests of what Airflow finds in the plugins folder."""
