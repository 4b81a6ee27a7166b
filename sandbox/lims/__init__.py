"""The laboratory information management system."""
