"""The solver: narrows formats that are tied to each other until all agree.

It knows nothing of graphs. A *variable* is a port, or several that carry the same format; its
*domain* are the caps that are possible. A *tie* makes fields of two variables equal, or
proportional. Narrowing goes through the ties in both directions to a fixpoint. Where the ties
form no cycle and no proportion meets an open range, this decides whether a solution exists;
elsewhere a search tries the alternatives one after the other, within a bound.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from remotemedia.caps import FIELDS, Caps, Exact, Format, OneOf, Range, Relation, Shape
from remotemedia.caps.constraint import Value
from remotemedia.caps.media import NUMBERS
from remotemedia.caps.relation import as_number
from remotemedia.errors import NegotiationLimitError
from remotemedia.negotiation.union_find import merge, root

MAX_FORMATS = 256  # alternatives of one variable
_FEW = 4  # alternatives that are not worth a look
MAX_STEPS = 4_000  # narrowings that the search may try
_END = 2**31  # beyond any number in a format
_LARGEST = 10**6  # common multiple of ratios that the search looks for


class Tie(NamedTuple):
    """Two variables whose formats depend on each other: ``a = b``, as the relation says."""

    a: int
    b: int
    relation: Relation
    node: str = ""
    """Whose relation it is."""


class Conflict(NamedTuple):
    """A tie that leaves nothing of variable `narrowed`."""

    tie: int
    narrowed: int
    domain: Caps
    """What was left of it before."""
    other: Caps
    """The domain of the other variable."""


Incidence = Mapping[int, Sequence[int]]
"""Variable → the numbers of its ties."""


def incidence(ties: Sequence[Tie]) -> Incidence:
    """Which ties each variable has."""
    of: dict[int, list[int]] = {}
    for index, tie in enumerate(ties):
        of.setdefault(tie.a, []).append(index)
        of.setdefault(tie.b, []).append(index)
    return of


def narrow(
    domains: list[Caps],
    ties: Sequence[Tie],
    start: Iterable[int] | None = None,
    of: Incidence | None = None,
) -> Conflict | None:
    """Narrow the domains in place, to a fixpoint.

    Parameters
    ----------
    domains : list of Caps
        Of each variable.
    ties : sequence of Tie
        Applied in this order.
    start : iterable of int, optional
        Variables that have changed; by default all.
    of : Incidence, optional
        That of the ties, if it is known.

    Returns
    -------
    Conflict or None
        The first tie that cannot be satisfied; the domains are then as far as it got.
    """
    if of is None:
        of = incidence(ties)
    first = range(len(ties)) if start is None else sorted({t for v in start for t in of.get(v, ())})
    queue, waiting = deque(first), set(first)
    steps = 0
    while queue:
        number = queue.popleft()
        waiting.discard(number)
        steps += 1
        if steps > 64 * (len(ties) + 64):
            raise NegotiationLimitError(
                f"formats that depend on each other did not settle within {steps - 1} steps: "
                "give the sample rates exactly"
            )
        tie = ties[number]
        for target, other, back in ((tie.a, tie.b, False), (tie.b, tie.a, True)):
            before = domains[target]
            after = _through(before, domains[other], tie.relation, back)
            if after is None:
                return Conflict(number, target, before, domains[other])
            if not before.is_subset(after):
                domains[target] = after
                for again in of[target]:
                    if again not in waiting:
                        waiting.add(again)
                        queue.append(again)
    return None


def solve(domains: list[Caps], ties: Sequence[Tie]) -> Conflict | None:
    """`narrow`, and a search where narrowing alone does not decide.

    Returns
    -------
    Conflict or None
        None if there is a solution.

    Raises
    ------
    NegotiationLimitError
        Neither a solution nor its absence was found within the bound.
    """
    conflict = narrow(domains, ties)
    if conflict is not None:
        return conflict
    for members, inside in _components(len(domains), ties):
        if _decided(domains, members, inside):
            continue
        budget = [MAX_STEPS]
        local = {variable: index for index, variable in enumerate(members)}
        own = [tie._replace(a=local[tie.a], b=local[tie.b]) for tie in inside]
        closed = [_closed(domains[variable], variable, inside) for variable in members]
        if narrow(closed, own) is not None or not _search(closed, own, budget):
            tie = inside[0]
            return Conflict(ties.index(tie), tie.a, domains[tie.a], domains[tie.b])
    return None


def _through(target: Caps, other: Caps, relation: Relation, back: bool) -> Caps | None:
    """What a tie leaves of one side; `back`: of its `b`."""
    left = relation.apply(target, other, back)
    return None if left is None else bounded(left)


def bounded(caps: Caps) -> Caps:
    """The same without alternatives that a preferred one contains.

    Raises
    ------
    NegotiationLimitError
        There are too many left.
    """
    if caps.formats is None or len(caps.formats) < _FEW:
        return caps
    kept: list[Format] = []
    for item in caps.formats:
        if not any(item.is_subset(one) for one in kept):
            kept.append(item)
            if len(kept) > MAX_FORMATS:
                raise NegotiationLimitError(
                    f"more than {MAX_FORMATS} alternative formats meet at one port: "
                    "declare fewer alternatives, or give some fields exactly"
                )
    return Caps(tuple(kept))


def _components(count: int, ties: Sequence[Tie]) -> list[tuple[list[int], list[Tie]]]:
    """Variables that are tied, directly or not, and their ties."""
    parent: dict[int, int] = {}
    for tie in ties:
        merge(parent, tie.a, tie.b)
    members: dict[int, list[int]] = {}
    for variable in range(count):
        members.setdefault(root(parent, variable), []).append(variable)
    inside: dict[int, list[Tie]] = {}
    for tie in ties:
        inside.setdefault(root(parent, tie.a), []).append(tie)
    return [(members[one], found) for one, found in inside.items()]


def _decided(domains: Sequence[Caps], members: Sequence[int], ties: Sequence[Tie]) -> bool:
    """Whether the fixpoint alone proves that there is a solution."""
    if len(ties) >= len(members):  # a cycle
        return False
    return all(
        tie.relation.ratio == 1
        or (
            _is_listed(domains[tie.a], tie.relation.field)
            and _is_listed(domains[tie.b], tie.relation.other_field)
        )
        for tie in ties
    )


def _is_listed(caps: Caps, field: str) -> bool:
    """Whether a field can only have values of a list."""
    return caps.formats is not None and all(
        isinstance(item.get(field), (Exact, OneOf))
        for item in caps.formats
        if field in FIELDS[item.media]
    )


def _closed(caps: Caps, variable: int, ties: Sequence[Tie]) -> Caps:
    """With an end to the open fields that are in proportion to others.

    Going round a cycle of them, a contradiction shows only there.
    """
    fields = {tie.relation.field for tie in ties if tie.a == variable}
    fields |= {tie.relation.other_field for tie in ties if tie.b == variable}
    fields &= NUMBERS
    if caps.formats is None or not fields:
        return caps
    return Caps(
        tuple(
            item.with_fields(
                {
                    field: Range(1, _END)
                    for field in fields & set(FIELDS[item.media])
                    if item.get(field) is None
                }
            )
            for item in caps.formats
        )
    )


def _search(domains: list[Caps], ties: Sequence[Tie], budget: list[int]) -> bool:
    """Whether some choice of alternatives satisfies all ties."""
    choice = _undecided(domains, ties)
    if choice is None:
        return True
    variable, options = choice
    for option in options:
        budget[0] -= 1
        if budget[0] < 0:
            raise NegotiationLimitError(
                f"no format that fits was found within {MAX_STEPS} attempts, nor that there is "
                "none: declare fewer alternatives, or give some fields exactly"
            )
        attempt = list(domains)
        attempt[variable] = Caps((option,))
        if narrow(attempt, ties, [variable]) is None and _search(attempt, ties, budget):
            return True
    return False


def _undecided(domains: Sequence[Caps], ties: Sequence[Tie]) -> tuple[int, list[Format]] | None:
    """The first variable that could be several things that matter to a tie, and these."""
    tied: dict[int, set[str]] = {}
    multiple = 1
    for a, b, relation, _ in ties:
        if relation.field:
            tied.setdefault(a, set()).add(relation.field)
            tied.setdefault(b, set()).add(relation.other_field)
            ratio = relation.ratio
            multiple = math.lcm(multiple, ratio.numerator, ratio.denominator)
            continue
        for variable in (a, b):
            tied.setdefault(variable, set()).update(
                field
                for item in domains[variable].formats or ()
                for field, _ in item.fields
                if field not in relation.but
            )
    multiple = min(multiple, _LARGEST)
    for variable, fields in sorted(tied.items()):
        if domains[variable].formats is None:
            continue
        formats = _largest(domains[variable].formats or ())
        if len(formats) > 1:
            return variable, formats
        for field in sorted(fields & set(FIELDS[formats[0].media])):
            constraint = formats[0].get(field)
            if constraint is None or isinstance(constraint, (Exact, Shape)):
                continue
            values = _values(constraint, multiple)
            return variable, [formats[0].with_fields({field: Exact(value)}) for value in values]
    return None


def _largest(formats: Sequence[Format]) -> list[Format]:
    """Those that are no part of another one."""
    kept: list[Format] = []
    for item in formats:
        if not any(item.is_subset(other) for other in kept):
            kept = [other for other in kept if not other.is_subset(item)]
            kept.append(item)
    return kept


def _values(constraint: Range | OneOf, multiple: int) -> list[Value]:
    """What the search tries: all of a list; of a range multiples of the ratios, and its ends."""
    if isinstance(constraint, OneOf):
        return list(constraint.values)
    low, high = constraint.low, constraint.high
    first, last = -(-low // multiple) * multiple, high // multiple * multiple
    between = [value for value in (first, last) if low <= value <= high]
    return list(dict.fromkeys([*map(as_number, between), low, high]))
