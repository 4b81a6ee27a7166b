"""Failures and what becomes of them in quality management: non-conformances, and CAPAs for those that recur."""
