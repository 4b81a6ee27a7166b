"""Tests against real third-party systems; run by `make live`."""
