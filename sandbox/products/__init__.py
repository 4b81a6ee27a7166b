"""Stand-ins of named products."""
