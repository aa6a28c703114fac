"""What a manifest may cost: a stranger's text is read within these bounds or refused."""

from __future__ import annotations

MAX_BYTES = 1 << 20  # of UTF-8 text
MAX_DEPTH = 64  # mappings and lists inside each other, those behind aliases included
MAX_NODES = 10_000
MAX_ITEMS = 20_000  # entries of one mapping or list
MAX_VALUES = 250_000  # keys, values, mappings and lists; what an alias stands for counts each time
MAX_ALIASES = 1_000
MAX_SCALAR = 1 << 16  # characters of one key or value
MIN_INT = -(1 << 63)
MAX_INT = (1 << 64) - 1

MAX_PROBLEMS = 100  # that are reported; reading stops there
TOO_MANY_PROBLEMS = f"more than {MAX_PROBLEMS} problems; the rest is not shown"
MAX_COMPARISONS = 4_096  # candidates that are looked at for "did you mean", per manifest
