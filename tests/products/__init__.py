"""Tests of the named products."""
