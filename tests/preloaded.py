"""What the fork server keeps ready beside modules: the framework's contract, and objects that no collection visits."""

from __future__ import annotations

import gc

from pv_testing.contracts import load_contract

load_contract("framework")
gc.freeze()
