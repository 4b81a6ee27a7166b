"""The clients of the systems, with the names and arguments of the integration guide."""
