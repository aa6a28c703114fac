"""Union-find: which things belong together, directly or not."""

from __future__ import annotations

from typing import TypeVar

K = TypeVar("K")


def root(parent: dict[K, K], item: K) -> K:
    """What stands for the group of an item; one that was never merged stands for itself."""
    while (above := parent.get(item, item)) != item:
        parent[item] = parent.get(above, above)
        item = above
    return item


def merge(parent: dict[K, K], a: K, b: K) -> None:
    """Put the groups of two items together; that of `a` stands for both."""
    parent[root(parent, b)] = root(parent, a)
