"""What is loaded before an exchange is frozen once a process; what comes later is collected as before."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import gc, weakref
from pv_testing.core.heap import freeze_once

class Node: pass

assert gc.get_freeze_count() == 0
freeze_once()
frozen = gc.get_freeze_count()
assert frozen > 1_000
node = Node(); node.itself = node
seen = weakref.ref(node)
freeze_once()
assert gc.get_freeze_count() <= frozen
del node; gc.collect()
assert seen() is None
"""


def test_the_heap_is_frozen_once_a_process_and_later_garbage_is_collected():
    subprocess.run([sys.executable, "-c", PROGRAM], check=True, timeout=60)
