"""Faithful stand-ins of the laboratory's systems, on real sockets and with faults on demand.

They share no code with the product, so that they can judge it.
"""

from __future__ import annotations

from sandbox.judge import Judge
from sandbox.lab import FRAMEWORK, LIMS, SYSTEMS, Lab, ports_of, serve, spawn
from sandbox.seed import SeedPlan
from sandbox.settings import Credentials, Naive, Settings

__all__ = [
    "FRAMEWORK",
    "LIMS",
    "SYSTEMS",
    "Credentials",
    "Judge",
    "Lab",
    "Naive",
    "SeedPlan",
    "Settings",
    "ports_of",
    "serve",
    "spawn",
]
