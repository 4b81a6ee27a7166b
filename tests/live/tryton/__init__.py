"""Tryton on this machine, with the laboratory that the live tests speak of."""
