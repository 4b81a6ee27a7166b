"""Ways to reach a system, with authentication, pagination, limits and deadlines."""
