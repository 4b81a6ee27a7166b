"""The trial of contracts: by ``python -m pv_testing`` and as a test class."""
