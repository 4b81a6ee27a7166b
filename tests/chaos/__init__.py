"""Kills the process, loses answers and storms the LIMS while samples are created, then counts what arrived."""
