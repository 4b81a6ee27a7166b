"""Tests of named products on their stand-ins."""
