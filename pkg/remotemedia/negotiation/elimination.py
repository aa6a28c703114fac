"""Elimination: the cheapest assignment of formats to places, found exactly.

One place after the other is taken out: for each assignment of those that it depends on, its best
choice is noted. Quick where few depend on each other, as in a tree; refused where too many do.
"""

from __future__ import annotations

import heapq
import itertools
import math
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from remotemedia.caps import Format
from remotemedia.errors import NegotiationLimitError
from remotemedia.negotiation.cells import Cell

MAX_TABLE = 40_000  # assignments that are looked at together
MAX_WORK = 200_000  # prices of one group

Price = tuple[float, float, int]
"""Computing time, samples lost, and how late: the higher the number, the earlier."""


class Factor(NamedTuple):
    """Prices that depend on some places.

    Attributes
    ----------
    places : tuple of Cell
    price : callable
        Takes a format of each place; its last part counts converters.
    late : int
        What each converter counts for being so early.
    what : object
        The same for factors that have the same prices for the same formats.
    """

    places: tuple[Cell, ...]
    price: Callable[..., Price]
    late: int
    what: object


Table = dict[tuple[int, ...], Price]
Weighted = tuple[tuple[Cell, ...], Table, int]
"""Places, the prices of each assignment of them, and what a converter counts for."""


def eliminate(
    candidates: Mapping[Cell, list[Format]], factors: Iterable[Factor]
) -> dict[Cell, Format]:
    """The assignment with the least price, by variable elimination.

    Of several that cost the same, the first by the order of places and candidates.
    """
    tables = _tables(candidates, factors)
    sizes = {place: len(options) for place, options in candidates.items()}
    order = {place: index for index, place in enumerate(candidates)}
    answers: list[tuple[Cell, tuple[Cell, ...], dict[tuple[int, ...], int]]] = []
    links: dict[Cell, set[int]] = {place: set() for place in candidates}
    alive: dict[int, Weighted] = dict(enumerate(tables))
    for index, (places, _, _) in alive.items():
        for place in places:
            links[place].add(index)
    serial = len(alive)

    def degree(place: Cell) -> int:
        return len({other for index in links[place] for other in alive[index][0]})

    # The place that depends on the fewest others goes first; of several, what comes last.
    queue = [(degree(place), -order[place], place) for place in candidates]
    heapq.heapify(queue)
    done: set[Cell] = set()
    while queue:
        known, _, place = heapq.heappop(queue)
        if place in done or known != degree(place):
            continue  # there is a newer entry
        done.add(place)
        mine = [alive.pop(index) for index in sorted(links[place])]
        around = tuple(
            sorted(
                {other for places, _, _ in mine for other in places if other != place},
                key=order.__getitem__,
            )
        )
        table, best = _without(place, around, mine, sizes)
        for other in around:
            links[other] = {index for index in links[other] if index in alive}
        if around:
            alive[serial] = (around, table, 1)
            for other in around:
                links[other].add(serial)
            serial += 1
        for other in around:
            heapq.heappush(queue, (degree(other), -order[other], other))
        answers.append((place, around, best))
    chosen: dict[Cell, int] = {}
    for place, around, best in reversed(answers):
        chosen[place] = best[tuple(chosen[other] for other in around)]
    return {place: candidates[place][index] for place, index in chosen.items()}


def _tables(candidates: Mapping[Cell, list[Format]], factors: Iterable[Factor]) -> list[Weighted]:
    """The prices of every factor; alike factors share a table."""
    made: dict[object, Table] = {}
    work, found = 0, []
    for places, price, late, what in factors:
        lists = [candidates[place] for place in places]
        key = (what, *map(id, lists))
        if key not in made:
            work += math.prod(map(len, lists))
            if work > MAX_WORK:
                raise NegotiationLimitError(
                    "too many formats are possible where converters would have to be inserted: "
                    "give the formats of some nodes exactly"
                )
            made[key] = {
                tuple(index for index, _ in choice): price(*(format_ for _, format_ in choice))
                for choice in itertools.product(*map(enumerate, lists))
            }
        found.append((places, made[key], late))
    return found


def _without(
    place: Cell,
    around: tuple[Cell, ...],
    factors: Iterable[Weighted],
    sizes: Mapping[Cell, int],
) -> tuple[Table, dict[tuple[int, ...], int]]:
    """For each assignment of the places around: the least price, and the choice that has it."""
    total = sizes[place]
    for other in around:
        total *= sizes[other]
    if total > MAX_TABLE:
        raise NegotiationLimitError(
            "too many formats depend on each other to find the cheapest converters: "
            "give the formats of some nodes exactly"
        )
    where = {other: index for index, other in enumerate(around)}
    picks = [
        (table, weight, tuple(where.get(other, -1) for other in places))
        for places, table, weight in factors
    ]
    prices: Table = {}
    best: dict[tuple[int, ...], int] = {}
    for assignment in itertools.product(*(range(sizes[other]) for other in around)):
        for option in range(sizes[place]):
            us_per_s, lost, late = 0.0, 0.0, 0
            for table, weight, indices in picks:
                one = table[tuple([option if i < 0 else assignment[i] for i in indices])]
                us_per_s += one[0]
                lost += one[1]
                late += one[2] * weight
            price = (us_per_s, lost, late)
            known = prices.get(assignment)
            if known is None or price < known:
                prices[assignment] = price
                best[assignment] = option
    return prices, best
