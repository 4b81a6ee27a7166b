"""Waiting without a worker: what the triggerer runs."""
