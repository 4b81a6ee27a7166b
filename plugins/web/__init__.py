"""What the project adds to Airflow's web server; every route demands a user with permission, or a signature."""
