"""Golden files: outputs that were looked at once, kept as wire frames, and compared ever after."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Collection
from os import PathLike
from pathlib import Path

import numpy as np

from remotemedia import wire
from remotemedia.data import Data, Packet
from remotemedia.errors import WireError
from remotemedia.node import Emit
from remotemedia.testing.compare import Items, assert_close
from remotemedia.testing.node_result import NodeResult
from remotemedia.testing.tolerance import Tolerances

FRAMES, SUMMARY = ".frames", ".json"


def golden(
    path: str | PathLike[str],
    outputs: Items,
    *,
    update: bool = False,
    tolerance: Tolerances | None = None,
    node: str | None = None,
    ignore: Collection[str] = (),
) -> bool:
    """Check that outputs are those of a golden file.

    Parameters
    ----------
    path : str or path
        Without an ending. There are two files: ``PATH.frames``, the packets as wire frames, which
        is what is compared; and ``PATH.json``, the same in words for whoever reviews a change.
    outputs : Data, Emit, Packet, a sequence of these, or NodeResult
        What came. Data alone are kept as packets numbered from 0.
    update : bool
        Write the files instead, whatever was in them. In pytest that is ``--update-golden``.
    tolerance, node, ignore
        As in `assert_close`.

    Returns
    -------
    bool
        Whether the files were written: never without `update`, and not if they are the same.

    Raises
    ------
    AssertionError
        The outputs are others, as `assert_close` says; there is no such golden, or its two files
        do not belong together.
    """
    __tracebackhide__ = True
    frames, words = Path(f"{path}{FRAMES}"), Path(f"{path}{SUMMARY}")
    packets = _packets(outputs)
    if update:
        content = b"".join(map(wire.encode, packets))
        said = _summary(frames.name, content, packets)
        if _is(frames, content) and _is(words, said):
            return False
        frames.parent.mkdir(parents=True, exist_ok=True)
        frames.write_bytes(content)
        words.write_bytes(said)
        return True
    assert_close(packets, _read(frames, words), tolerance=tolerance, node=node, ignore=ignore)
    return False


class GoldenFolder:
    """The `golden` fixture: goldens by name, in the folder ``golden`` beside the test file.

    Parameters
    ----------
    folder : path
        Where they are.
    update : bool
        Whether pytest was called with ``--update-golden``.
    written : dict
        Path → which test wrote it in this run.
    test : str
        This test.
    tell : callable
        Is given the path of a golden that was written.
    """

    def __init__(
        self,
        folder: Path,
        *,
        update: bool,
        written: dict[str, str],
        test: str,
        tell: Callable[[str], None],
    ) -> None:
        self.folder = folder
        self.update = update
        self._written = written
        self._test = test
        self._tell = tell

    def __call__(
        self,
        name: str,
        outputs: Items,
        *,
        tolerance: Tolerances | None = None,
        node: str | None = None,
        ignore: Collection[str] = (),
    ) -> None:
        """As `remotemedia.testing.golden`, by the name of the golden.

        Raises
        ------
        AssertionError
            Also if, with ``--update-golden``, another test of this run wrote other outputs to it.
        """
        __tracebackhide__ = True
        path = self.folder / name
        first = self._written.get(str(path))
        update = self.update and first is None
        try:
            written = golden(
                path, outputs, update=update, tolerance=tolerance, node=node, ignore=ignore
            )
        except AssertionError as error:
            if first is not None:
                error.add_note(f"golden {path}: --update-golden kept what {first} gave")
            raise
        if update:
            self._written[str(path)] = self._test
        if written:
            self._tell(f"{path}{FRAMES}")


def _read(frames: Path, words: Path) -> list[Packet]:
    remedy = "look at the outputs, then run pytest with --update-golden (or give update=True)"
    if not frames.is_file():
        raise AssertionError(f"there is no golden {frames}: {remedy}")
    content = frames.read_bytes()
    digest = hashlib.sha256(content).hexdigest()
    if not words.is_file() or digest not in words.read_text(encoding="utf-8"):
        raise AssertionError(f"{words} does not describe {frames.name} as it is: {remedy}")
    packets: list[Packet] = []
    try:
        for frame in wire.split(content):
            item = wire.decode(frame)[2]
            if not isinstance(item, Packet):
                raise AssertionError(f"golden {frames} holds {item!r}, which is no packet")
            packets.append(item)
    except WireError as error:
        raise AssertionError(f"golden {frames}, frame {len(packets)}: {error}") from error
    return packets


def _packets(outputs: Items) -> list[Packet]:
    if isinstance(outputs, NodeResult):
        return outputs.packets
    items = [outputs] if isinstance(outputs, Data | Emit | Packet) else outputs
    packets: list[Packet] = []
    for number, item in enumerate(items):
        if isinstance(item, Packet):
            packets.append(item)
        elif isinstance(item, Emit):
            packets.append(Packet(item.data, "", item.port, number))
        else:
            packets.append(Packet(item, "", sequence=number))
    return packets


def _is(path: Path, content: bytes) -> bool:
    return path.is_file() and path.read_bytes() == content


def _summary(name: str, content: bytes, packets: list[Packet]) -> bytes:
    """JSON with one line per packet, so that a difference of two versions shows which changed."""
    head = json.dumps({"frames": name, "sha256": hashlib.sha256(content).hexdigest()})
    lines = [json.dumps(_row(packet), ensure_ascii=False) for packet in packets]
    rows = ",\n  ".join(lines)
    inner = f"[\n  {rows}\n]" if lines else "[]"
    return f'{head[:-1]}, "packets": {inner}}}\n'.encode()


def _row(packet: Packet) -> dict[str, object]:
    data = packet.data
    fields = {name: _plain(getattr(data, name)) for name in data.__struct_fields__}
    shown = {name: value for name, value in fields.items() if value is not None}
    place = {
        "node": packet.node,
        "port": packet.port,
        "sequence": packet.sequence,
        "sub_sequence": packet.sub_sequence,
    }
    return {**place, "type": type(data).__name__, **shown}


def _plain(value: object) -> object:
    if isinstance(value, bytes):
        return {"bytes": len(value), "sha256": hashlib.sha256(value).hexdigest()[:16]}
    if not isinstance(value, np.ndarray):
        return value
    found: dict[str, object] = {"dtype": str(value.dtype), "shape": list(value.shape)}
    if value.size and value.dtype.kind in "fiu":
        numbers = value.astype(np.float64)
        found["min"], found["max"] = (_short(each) for each in (numbers.min(), numbers.max()))
        found["rms"] = _short(np.sqrt(np.square(numbers).mean()))
    return found


def _short(number: np.floating) -> object:
    """Six digits are enough to see a change; JSON knows no NaN."""
    return float(f"{number:.6g}") if np.isfinite(number) else str(number)
