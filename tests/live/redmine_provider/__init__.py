"""Shows what the provider makes of Redmine's habits, each met on the running system."""
