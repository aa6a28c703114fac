"""NodeResult: what `run_node` gives."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeVar

from remotemedia.data import Audio, Data, Packet
from remotemedia.errors import RemoteMediaError, nearest
from remotemedia.metrics import Metrics
from remotemedia.node import Emit
from remotemedia.session.failure import Event
from remotemedia.testing.blocks import TOLERANCE_US, join
from remotemedia.testing.summary import summary

D = TypeVar("D", bound=Data)


@dataclass(frozen=True, eq=False)
class NodeResult:
    """What a node gave out, in the order in which it did.

    Iterate over it for pairs of port and data; ``result["port"]`` is what came out of one port.

    Attributes
    ----------
    node_type : str
        The node.
    ports : tuple of str
        Its output ports.
    packets : list of Packet
        As a client of the session received them.
    events : list of Event
        What the session told beside: items that failed, with ``on_error="skip"``; breakers that
        opened, and so on.
    metrics : Metrics
        Of the session, at its end.
    """

    node_type: str
    ports: tuple[str, ...]
    packets: list[Packet]
    events: list[Event]
    metrics: Metrics

    @property
    def outputs(self) -> list[Emit]:
        """Port and data of every output."""
        return [Emit(packet.port, packet.data) for packet in self.packets]

    @property
    def data(self) -> list[Data]:
        """The data of all ports."""
        return [packet.data for packet in self.packets]

    @property
    def errors(self) -> list[RemoteMediaError]:
        """The errors among the events; their notes say at which input."""
        return [event.error for event in self.events if event.error is not None]

    def __getitem__(self, port: str) -> list[Data]:
        if port not in self.ports:
            hint = nearest(port, self.ports) or f" (ports: {', '.join(self.ports) or 'none'})"
            raise KeyError(f"{self.node_type} has no output port {port!r}{hint}")
        return [packet.data for packet in self.packets if packet.port == port]

    def __iter__(self) -> Iterator[Emit]:
        return iter(self.outputs)

    def __len__(self) -> int:
        return len(self.packets)

    def all(self, kind: type[D], port: str | None = None) -> list[D]:
        """The data of one port, or of all, which have to be of one type.

        Raises
        ------
        AssertionError
            Something else came out.
        """
        found: list[D] = []
        for data in self.data if port is None else self[port]:
            if not isinstance(data, kind):
                where = "" if port is None else f" on {port!r}"
                raise AssertionError(
                    f"{self.node_type} gave {summary(data)}{where}: expected only {kind.__name__}"
                )
            found.append(data)
        return found

    def audio(self, port: str | None = None, *, tolerance_us: int = TOLERANCE_US) -> Audio:
        """All audio of a port in one piece.

        Parameters
        ----------
        port : str, optional
            By default the one that audio came out of.
        tolerance_us : int
            By how much a block may be off, µs; see `remotemedia.testing.signals.join`.

        Raises
        ------
        AssertionError
            There is none; it came out of several ports; or the blocks do not follow each other in
            time and format.
        """
        found = [emit for emit in self if isinstance(emit.data, Audio)]
        heard = dict.fromkeys(emit.port for emit in found)
        if port is not None:
            blocks = [data for data in self[port] if isinstance(data, Audio)]
        elif len(heard) > 1:
            raise AssertionError(
                f"{self.node_type} gave audio on {', '.join(heard)}: say which, "
                f"audio('{found[0].port}')"
            )
        else:
            blocks = [emit.data for emit in found if isinstance(emit.data, Audio)]
        if not blocks:
            where = "" if port is None else f" on {port!r}"
            raise AssertionError(
                f"{self.node_type} gave no audio{where}; {len(self)} outputs in all"
            )
        return join(blocks, tolerance_us=tolerance_us)
