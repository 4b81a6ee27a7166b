"""``python -m pv_testing``: the commands."""
