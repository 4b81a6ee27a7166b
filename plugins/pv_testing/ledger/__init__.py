"""The database of what is known of each record in each system, and of everything that was done."""
