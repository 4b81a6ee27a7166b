"""The PV Testing Protocol Framework."""
