"""The engine that brings each record into effect exactly once."""
