"""Recorder: watches a session and writes what it sees."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from typing import Any, Protocol

import msgspec

from remotemedia.clock import Clock
from remotemedia.data import Packet
from remotemedia.errors import RecordingError
from remotemedia.recording import layout as f
from remotemedia.recording.writer import Sink, Writer
from remotemedia.wire import encode_parts


class Observable(Protocol):
    """What is recorded: a session."""

    def observe(self, observer: Any, /) -> Callable[[], object]:
        """Tell `observer` of all that goes in and comes out, until the result is called."""

    def tap(self, port: str, callback: Callable[[Packet], None], /) -> Callable[[], object]:
        """Call `callback` with all that passes ``"node:port"``, until the result is called."""


class Recorder:
    """Writes what a session is sent and gives out, with the time of each.

    It never disturbs the session: when it cannot go on (the disk is full, the sink fails, the bound
    is reached) it stops, and says so once.

    Real-time path: one encoding, one CRC and one `write` per packet; nothing is kept of it.

    Parameters
    ----------
    sink : Sink
        Anything that has ``write(bytes)``; it is not closed.
    manifest : mapping or None
        What runs, as `Pipeline.to_dict` gives it: a replay builds it again.
    clock : Clock
        That of the session.
    session : str
        A name for it.
    max_bytes : int, optional
        Largest size of a file. A full one is completed, and `next_sink` asked for the next;
        without it the recording ends there.
    next_sink : callable, optional
        Gives the sink of the part whose number it is called with.
    on_stop : callable, optional
        Is told, once, why it stopped by itself.

    Attributes
    ----------
    error : RecordingError or None
        Why it stopped by itself.

    Raises
    ------
    RecordingError
        The sink takes nothing at all.

    Examples
    --------
    ::

        with open("talk.rmrec", "wb") as file:
            async with pipeline.session() as session:
                recorder = Recorder(file, pipeline.to_dict(), session.clock)
                recorder.attach(session, taps=["vad:audio"])
                ...
            recorder.close()
    """

    def __init__(
        self,
        sink: Sink,
        manifest: Mapping[str, object] | None,
        clock: Clock,
        *,
        session: str = "",
        max_bytes: int | None = None,
        next_sink: Callable[[int], Sink] | None = None,
        on_stop: Callable[[RecordingError], None] | None = None,
    ) -> None:
        self.error: RecordingError | None = None
        self._now_us = clock.now_us
        self._on_stop = on_stop
        self._attached = ExitStack()
        header = f.Header(
            msgspec.json.encode(manifest).decode() if manifest is not None else "",
            session,
            clock.wall_us(),
            0,
            sys.modules["remotemedia"].__version__,  # the door is above this floor
            f"{sys.implementation.name} {sys.version.split()[0]} {sys.platform}",
            type(clock).__name__,
        )
        self._start_us = self._now_us()
        try:
            self._writer: Writer | None = Writer(
                sink, header, max_bytes=max_bytes, next_sink=next_sink
            )
        except OSError as error:
            raise _told(error) from error

    def attach(self, session: Observable, taps: Iterable[str] = (), *, client: bool = True) -> None:
        """Record this session from now on.

        Parameters
        ----------
        session : Session
            What.
        taps : iterable of str
            Ports inside of it that are recorded as well: ``"node:port"``.
        client : bool
            Whether to record what the client sends and receives, too, which a replay needs.
        """
        if client:
            self._attached.callback(session.observe(self))
        for port in taps:
            self._attached.callback(session.tap(port, self.tapped))

    def close(self) -> None:
        """Detach and write the index; what is not attached any more is not recorded."""
        self._attached.close()
        self._record(f.CLOSED, b"")
        writer, self._writer = self._writer, None
        if writer is not None:
            self._end(writer)

    # -- what a session calls ----------------------------------------------------------------

    def sent(self, packets: Sequence[Packet]) -> None:
        """One `send` has put these in, one per entry."""
        for packet in packets:
            self._packet(f.SENT, packet)

    def received(self, packet: Packet) -> None:
        """Something was put in front of the client."""
        self._packet(f.RECEIVED, packet)

    def tapped(self, packet: Packet) -> None:
        """Something passed a port."""
        self._packet(f.TAPPED, packet)

    def interrupted(self, generation: int, from_node: str | None) -> None:
        """All in flight was dropped, behind a node or everywhere."""
        self._record(f.INTERRUPTED, f.MARK.pack(generation) + (from_node or "").encode())

    def finished(self) -> None:
        """The client said that its input ended."""
        self._record(f.FINISHED, b"")

    # -- inside ------------------------------------------------------------------------------

    def _packet(self, kind: int, packet: Packet) -> None:
        if self._writer is not None:
            try:
                head, body = encode_parts(packet)
            except Exception as error:
                self._stop(error)
            else:
                self._record(kind, head, body)

    def _record(self, kind: int, head: bytes, body: Any = b"") -> None:
        if self._writer is not None:
            try:
                self._writer.write(kind, self._now_us() - self._start_us, head, body)
            except Exception as error:
                self._stop(error)

    def _stop(self, error: Exception) -> None:
        writer, self._writer = self._writer, None
        self.error = _told(error)
        if writer is not None:
            self._end(writer)
        if self._on_stop is not None:
            self._on_stop(self.error)

    def _end(self, writer: Writer) -> None:
        try:
            writer.close()
        except Exception as error:
            if self.error is None:
                self._stop(error)


def _told(error: Exception) -> RecordingError:
    if isinstance(error, RecordingError):
        return error
    told = RecordingError(f"recording stopped: {type(error).__name__}: {error}")
    told.__cause__ = error
    return told
