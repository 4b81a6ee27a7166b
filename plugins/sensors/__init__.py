"""Waiting for something to happen in the laboratory."""
