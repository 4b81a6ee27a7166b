"""Run in processes of their own by the tests of the DAG files."""
