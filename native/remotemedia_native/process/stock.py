"""Taking stock: what was in the queues of a process that has died, and what its heir is given."""

from __future__ import annotations

from typing import NamedTuple

from remotemedia_native.process.ledger import DROPPED, GONE, TAKEN_IN, WORKING, Ledger
from remotemedia_native.process.messages import Again, Held, Inlet
from remotemedia_native.process.routes import Routes


class Lost(NamedTuple):
    """An item that was in a process when that died, and that nobody has any more.

    Attributes
    ----------
    node : str
        Whom it was for.
    sequence : int
        Of the client's send that it stems from.
    is_worked_on : bool
        Whether the node had it, or it waited in a queue within the process.
    """

    node: str
    sequence: int
    is_worked_on: bool


def take_stock(
    ledger: Ledger, routes: Routes, part: str, inlets: list[Inlet], *, redeliver: bool
) -> tuple[list[Lost], dict[str, Again]]:
    """What is lost, and what is to be given again of each topic that the part reads.

    The counts are set right for an heir that counts on; what it is given again stays in the ledger,
    should it die, too. To be called when nothing runs that belongs to the part.

    Parameters
    ----------
    ledger : Ledger
    routes : Routes
    part : str
        Whose process has died.
    inlets : list of Inlet
        What it read.
    redeliver : bool
        Whether what was being worked on is given again as well.
    """
    lost: list[Lost] = []
    again: dict[str, Again] = {}
    words = ledger.words
    for inlet in inlets:
        found: list[Held] = []
        taken = words[ledger.lane(inlet.lane) + TAKEN_IN]
        for route in routes.routes:
            if route.part != inlet.part:
                continue
            for end in route.ends:
                if end.part != part:
                    continue
                for sequence, stands_for, number in ledger.held(end.lane):
                    taken = max(taken, number + 1)  # if it died before it could say so
                    if stands_for == WORKING and not redeliver:
                        lost.append(Lost(end.node, sequence, True))
                        continue
                    if stands_for == WORKING:
                        words[ledger.lane(end.lane) + GONE] -= 1
                    found.append(Held(number, end.lane, sequence))
                ledger.hold_only(end.lane, [e for e in found if e.lane == end.lane])
        words[ledger.lane(inlet.lane) + TAKEN_IN] = taken
        again[inlet.part] = Again(taken, tuple(found))
    for name, lane in routes.inner.items():
        target = name.rpartition(">")[2].rpartition(":")[0]
        if routes.inner_parts[name] != part:
            continue
        base = ledger.lane(lane)
        for sequence, stands_for, _ in ledger.held(lane):
            lost.append(Lost(target, sequence, stands_for == WORKING))
            if stands_for != WORKING:
                words[base + GONE] += 1
                words[base + DROPPED] += 1
        ledger.hold_only(lane, [])
    return lost, again
