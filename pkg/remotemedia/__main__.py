"""``python -m remotemedia``."""

from __future__ import annotations

import sys

from remotemedia.cli import main

if __name__ == "__main__":
    sys.exit(main())
