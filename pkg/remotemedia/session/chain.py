"""Chain: nodes that follow one another without a branch, called in one loop."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from remotemedia.clock import Clock, SystemClock
from remotemedia.data import Data
from remotemedia.metrics import Histogram, add_rows, table_of
from remotemedia.node import Context, Node
from remotemedia.session.adapter import Adapter
from remotemedia.session.timers import Timers

Call = Callable[[Data], Any]

FOLD_ROWS = 1024  # passes after which the clock readings are sorted into histograms


class Step:
    """A node in a running island: what is called, and what is counted.

    Attributes
    ----------
    id : str
        Id of the node.
    node : Node
        The node.
    latency : Histogram
        Duration of its calls; a generator's is the time spent inside it until it ends.
    errors : int
        Calls that raised or broke the contract.
    unrecorded : int
        Calls that left no duration, or none yet: a generator's that still runs.
    direct : int
        Items sent straight to it by the client, past the edges.
    routes : mapping of port to tuple of Link
        Where the items of each output port go, in the order in which the connections are written.
    default : str
        The port of items that name none.
    adapters : mapping of port to Adapter
        What stands before its input ports, if formats are adapted there.
    context : Context or None
        What the node was told when it was opened.
    elsewhere : int
        Items that reached it by edges that are gone (after a change of the graph).
    dropped : dict of str to int
        Items that were lost at it, by reason.
    state : str
        ``enabled``, ``bypass`` or ``disabled``.
    policy : Policed or None
        What stands around its calls.
    outer : Joined or None
        What stands around that.
    input_filters, output_filters : mapping of port to tuple of Interceptor
        Who decides about what arrives, and what leaves.
    input_taps, output_taps : mapping of port to tuple of callable
        Who is shown what arrives, and what leaves.
    published : set of str
        Output ports behind which something was put in.
    seen : dict of port to tuple
        The last format, for a node that wants to know when it changes.
    timers : Timers or None
        In a live session.
    """

    __slots__ = (
        "adapters",
        "context",
        "default",
        "direct",
        "dropped",
        "elsewhere",
        "errors",
        "id",
        "input_filters",
        "input_taps",
        "latency",
        "node",
        "outer",
        "output_filters",
        "output_taps",
        "policy",
        "published",
        "routes",
        "seen",
        "state",
        "timers",
        "unrecorded",
    )

    def __init__(self, node_id: str, node: Node, ports: list[str]) -> None:
        self.id = node_id
        self.node = node
        self.latency = Histogram()
        self.errors = 0
        self.unrecorded = 0
        self.direct = 0
        self.default = ports[0] if ports else ""
        self.routes: dict[str, tuple[Link, ...]] = dict.fromkeys(ports, ())
        self.adapters: dict[str, Adapter] = {}
        self.context: Context | None = None
        self.elsewhere = 0
        self.dropped: dict[str, int] = {}
        self.state = "enabled"
        self.policy: Any = None
        self.outer: Any = None
        self.input_filters: dict[str, tuple[Any, ...]] = {}
        self.output_filters: dict[str, tuple[Any, ...]] = {}
        self.input_taps: dict[str, tuple[Callable[[Data], None], ...]] = {}
        self.output_taps: dict[str, tuple[Callable[[Data], None], ...]] = {}
        self.published: set[str] = set()
        self.seen: dict[str, tuple[object, ...]] = {}
        self.timers: Timers | None = None

    def clock(self) -> Clock:
        """That of the session, once the node is open."""
        return self.context.clock if self.context is not None else SystemClock()

    def take_over(self, former: Step) -> None:
        """Be watched and decided about as another step was whose node this one replaces."""
        self.input_filters, self.output_filters = former.input_filters, former.output_filters
        self.input_taps, self.output_taps = former.input_taps, former.output_taps

    def reset(self) -> None:
        """Forget the stream (after an interrupt)."""
        for adapter in self.adapters.values():
            adapter.reset()
        if self.timers is not None:
            self.timers.clear()
        if self.outer is not None:
            self.outer.reset()
        self.node.reset()

    @property
    def calls(self) -> int:
        """How many items it was given."""
        return self.latency.count + self.unrecorded


class Link:
    """Where an item goes on from an output port: to a chain, or out of the island.

    Attributes
    ----------
    chain : Chain or None
        The chain inside the island; None for a link that leads out of it.
    outlet : object
        What the driver of the island makes of a link that leads out; it is not looked at here.
    count : int
        Items that went this way.
    source : str
        Id of the node that it leads on from.
    """

    __slots__ = ("chain", "count", "outlet", "source")

    def __init__(self, source: str = "", chain: Chain | None = None, outlet: Any = None) -> None:
        self.source = source
        self.chain = chain
        self.outlet = outlet
        self.count = 0


class Chain:
    """Steps that follow one another without a branch, and the links behind the last of them.

    Every pass leaves one row of clock readings in `stamps`: one before the first call, one after
    each call. `fold` turns whole rows into durations per node, many at a time; this is what makes
    a histogram per node affordable on every packet.

    Attributes
    ----------
    calls : tuple of callable
        `process` of each node, taking and giving one item.
    link : Link or None
        The one link behind the last step, where there is just one for its default port. What goes
        through it at the end of a pass is counted when the passes are folded.
    barren : int
        Whole passes since then whose last call gave no plain item for that link.
    """

    __slots__ = (
        "_short",
        "_suffixes",
        "barren",
        "calls",
        "link",
        "links",
        "stamp",
        "stamps",
        "steps",
    )

    def __init__(self, steps: tuple[Step, ...], calls: tuple[Call, ...]) -> None:
        self.steps = steps
        self.calls = calls
        self.stamps: list[float] = []
        self.stamp = self.stamps.append
        self.barren = 0
        last = steps[-1] if steps else None
        self.links = last.routes.get(last.default, ()) if last else ()
        self.link = self.links[0] if len(self.links) == 1 else None
        self._suffixes: dict[int, Chain] = {}
        self._short: dict[int, list[float]] = {}  # rows of passes that went only part of the way

    def suffix(self, start: int) -> Chain:
        """The chain from a later step on, where items of a node that emits several go on."""
        rest = self._suffixes.get(start)
        if rest is None:
            rest = self._suffixes[start] = Chain(self.steps[start:], self.calls[start:])
        return rest

    def swap(self, calls: Mapping[Call, Call]) -> None:
        """Call others in the place of some; between two calls at any time."""
        self.calls = tuple(calls.get(call, call) for call in self.calls)
        for rest in self._suffixes.values():
            rest.swap(calls)

    def fold(self, rows: int = FOLD_ROWS) -> None:
        """Sort the clock readings of passes into histograms once there are `rows` of them.

        A row that is not whole stays: a pass may have been cut off by an interrupt.
        """
        for rest in self._suffixes.values():
            rest.fold(rows)
        for kept, readings in self._short.items():
            if len(readings) >= max(rows, 1) * (kept + 1):
                self._record(readings, kept)
        stamps, width = self.stamps, len(self.calls) + 1
        if len(stamps) < max(rows, 1) * width:
            return
        whole = len(stamps) - len(stamps) % width
        rest_of_row = stamps[whole:]
        del stamps[whole:]
        passes = self._record(stamps, len(self.calls))
        stamps[:] = rest_of_row
        if self.link is not None:
            self.link.count += passes - self.barren
            self.barren = 0

    def _record(self, readings: list[float], calls: int) -> int:
        """Empty a table of clock readings into the histograms of the first steps; its rows."""
        table = table_of(readings, calls + 1)
        durations = np.subtract(table[:, 1:].T, table[:, :-1].T, order="C")
        add_rows([step.latency for step in self.steps[:calls]], durations, table[:, -1])
        return len(table)

    def end_row(self, kept: int) -> None:
        """Take back the row of a pass that went only part of the way.

        Parameters
        ----------
        kept : int
            How many of its calls are recorded.
        """
        stamps, width = self.stamps, len(self.calls) + 1
        start = len(stamps) - (len(stamps) % width or width)
        if kept:
            short = self._short.get(kept)
            if short is None:
                short = self._short[kept] = []
            short += stamps[start : start + kept + 1]
        del stamps[start:]

    @property
    def position(self) -> int:
        """How many calls of the present pass have returned; 0 to the length of the chain."""
        width = len(self.calls) + 1
        return (len(self.stamps) % width or width) - 1
