"""A Redmine of the tests' own: installed, seeded and started on this machine, reached on the loopback only."""
