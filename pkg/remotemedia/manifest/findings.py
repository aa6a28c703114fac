"""What is found wrong with a manifest, collected so that all of it can be reported at once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from remotemedia.errors import Problem, nearest
from remotemedia.manifest import limits
from remotemedia.manifest.tree import Path


class Findings:
    """Problems of one manifest, one per place, up to a limit."""

    def __init__(self, known: Iterable[Problem] = ()) -> None:
        self.problems: list[Problem] = []
        self._places: set[tuple[Path, bool]] = set()
        self._comparisons = limits.MAX_COMPARISONS
        for problem in known:
            self._places.add((problem.path, problem.at_key))
            self.problems.append(problem)

    @property
    def full(self) -> bool:
        """Whether looking further is of no use."""
        return len(self.problems) >= limits.MAX_PROBLEMS

    def add(self, message: str, path: Path, at_key: bool = False) -> None:
        """Note a problem, unless one is known of that place."""
        place = (path, at_key)
        if not self.full and place not in self._places:
            self._places.add(place)
            self.problems.append(Problem(message, path, at_key=at_key))

    def nearest(self, name: str, candidates: Sequence[str]) -> str:
        """As `errors.nearest`, until the manifest has used up its share of comparisons.

        Ten thousand misspelt ends of edges among ten thousand nodes would take minutes.
        """
        self._comparisons -= len(candidates)
        return nearest(name, candidates) if self._comparisons >= 0 else ""
