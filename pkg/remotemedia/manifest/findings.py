"""What is found wrong with a manifest, collected so that all of it can be reported at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from remotemedia.errors import Problem, nearest
from remotemedia.manifest import limits
from remotemedia.manifest.tree import Path


class Findings:
    """Problems of one manifest, up to a limit."""

    def __init__(self, known: Iterable[Problem] = ()) -> None:
        self.problems: list[Problem] = list(known)
        # What is wrong with the text of a value is not told again as wrong with the value.
        self._known = {(problem.path, problem.at_key) for problem in self.problems}
        self._comparisons = limits.MAX_COMPARISONS

    @property
    def full(self) -> bool:
        """Whether looking further is of no use."""
        return len(self.problems) >= limits.MAX_PROBLEMS

    def add(self, message: str, path: Path, at_key: bool = False) -> None:
        """Note a problem, unless one was known of that place."""
        if not self.full and (path, at_key) not in self._known:
            self.problems.append(Problem(message, path, at_key=at_key))

    def report(self, locate: Callable[[list[Problem]], list[Problem]]) -> list[Problem]:
        """All problems, each with its place, and a last word if there may be more."""
        located = locate(self.problems)
        return [*located, Problem(limits.TOO_MANY_PROBLEMS)] if self.full else located

    def nearest(self, name: str, candidates: Sequence[str]) -> str:
        """As `errors.nearest`, until the manifest has used up its share of comparisons.

        Ten thousand misspelt ends of edges among ten thousand nodes would take minutes.
        """
        self._comparisons -= len(candidates)
        return nearest(name, candidates) if self._comparisons >= 0 else ""
