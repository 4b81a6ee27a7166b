"""The integration guide's own samples, typed as it prints them."""
