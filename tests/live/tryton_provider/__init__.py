"""Shows what the provider makes of Tryton's habits, each met on the running system."""
