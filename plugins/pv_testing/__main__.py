"""``python -m pv_testing``: runs the command line, :mod:`pv_testing.cli`."""

from __future__ import annotations

import sys

from pv_testing.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
