"""The project's routes in Airflow's web server; every route demands a user with permission, or a signature."""
