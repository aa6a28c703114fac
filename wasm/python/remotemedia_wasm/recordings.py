"""Recordings: sessions as files, sent to the page while they are written."""

from __future__ import annotations

from collections.abc import Callable

from remotemedia import protocol
from remotemedia.errors import RecordingError, SessionError
from remotemedia.recording import Recorder
from remotemedia.session.session import Session
from remotemedia_wasm.live import Handlers, Live

CHUNK = 2**18  # bytes: what a worker that dies can lose, and all that it keeps


class Recordings:
    """The recordings of the session, by the names that the page has given them.

    Parameters
    ----------
    live : Live
        The session.
    """

    def __init__(self, live: Live) -> None:
        self._live = live
        self._running: dict[str, tuple[Recorder, _Chunks]] = {}

    @property
    def handlers(self) -> Handlers:
        """What it carries out."""
        return {
            protocol.StartRecording: self._start,
            protocol.StopRecording: self._stop,
        }

    def begin(self, session: Session, options: protocol.RecordOptions) -> None:
        """Record a session from now on.

        Raises
        ------
        AddressError
            There is no such port to tap.
        RecordingError
            Not even the manifest fits into so many bytes.
        """
        name = options.recording
        if name in self._running:
            raise SessionError(f"there is a recording {name!r} already")
        live = self._live
        chunks = _Chunks(lambda content: live.host.recorded(name, live.to_js(content)))

        def stopped(error: RecordingError) -> None:
            session.tell("recording", error.message, "")

        recorder = Recorder(
            chunks,
            session.pipeline().to_dict(),
            session.clock,
            session=name,
            max_bytes=options.max_bytes,
            on_stop=stopped,
        )
        try:
            recorder.attach(session, options.taps)
        except BaseException:
            recorder.close()
            raise
        self._running[name] = recorder, chunks

    def close(self) -> None:
        """The session has ended: complete them all."""
        for name in list(self._running):
            self._complete(name)

    async def _start(self, request: protocol.StartRecording, _: object) -> None:
        self.begin(self._live.open_session(), request.options)

    async def _stop(self, request: protocol.StopRecording, _: object) -> None:
        self._complete(request.recording)

    def _complete(self, name: str) -> None:
        found = self._running.pop(name, None)
        if found is not None:  # else the session has ended, and it with it
            recorder, chunks = found
            recorder.close()
            chunks.send()


class _Chunks:
    """Collects what a recorder writes, and sends it on."""

    def __init__(self, post: Callable[[bytes], None]) -> None:
        self._post = post
        self._waiting: list[bytes] = []
        self._size = 0

    def write(self, content: bytes) -> None:
        self._waiting.append(content)
        self._size += len(content)
        if self._size >= CHUNK:
            self.send()

    def send(self) -> None:
        content = b"".join(self._waiting)
        self._waiting.clear()
        self._size = 0
        if content:
            self._post(content)
