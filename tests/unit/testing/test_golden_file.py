"""golden: made when asked for, compared ever after, and never made silently."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from remotemedia import Audio, Binary, Emit, Json, Packet, Text, wire
from remotemedia.testing import GoldenFolder, golden, run_node, signals

ITEMS = [
    Packet(Audio(np.array([[0.5, -1, 0.25]]), 8_000, 7), "gain", "out", 2, 1, 99, 3),
    Packet(Json({"x": 1.5, "ü": [1, None]}), "level", "report", 3),
    Packet(Binary(b"abc"), "b"),
]


def test_a_missing_golden_says_how_to_make_it(tmp_path: Path) -> None:
    with pytest.raises(
        AssertionError, match=r"there is no golden .*new\.frames: .*--update-golden"
    ):
        golden(tmp_path / "new", ITEMS)
    assert list(tmp_path.iterdir()) == []


def test_it_is_made_compared_and_kept(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "v1.x"
    assert golden(path, ITEMS, update=True)
    frames, words = tmp_path / "folder" / "v1.x.frames", tmp_path / "folder" / "v1.x.json"
    assert frames.read_bytes() == b"".join(wire.encode(item) for item in ITEMS)
    before = frames.stat().st_mtime_ns, words.stat().st_mtime_ns
    assert not golden(path, ITEMS)
    assert not golden(str(path), ITEMS, update=True)
    assert (frames.stat().st_mtime_ns, words.stat().st_mtime_ns) == before


def test_the_summary_is_for_people(tmp_path: Path) -> None:
    golden(tmp_path / "x", ITEMS, update=True)
    text = (tmp_path / "x.json").read_text(encoding="utf-8")
    content = (tmp_path / "x.frames").read_bytes()
    assert json.loads(text) == {
        "frames": "x.frames",
        "sha256": hashlib.sha256(content).hexdigest(),
        "packets": [
            {
                "node": "gain",
                "port": "out",
                "sequence": 2,
                "sub_sequence": 1,
                "type": "Audio",
                "samples": {
                    "dtype": "float32",
                    "shape": [1, 3],
                    "min": -1.0,
                    "max": 0.5,
                    "rms": 0.661438,  # √(21/48)
                },
                "sample_rate": 8000,
                "pts_us": 7,
            },
            {
                "node": "level",
                "port": "report",
                "sequence": 3,
                "sub_sequence": 0,
                "type": "Json",
                "value": {"x": 1.5, "ü": [1, None]},
            },
            {
                "node": "b",
                "port": "out",
                "sequence": 0,
                "sub_sequence": 0,
                "type": "Binary",
                "content": {"bytes": 3, "sha256": "ba7816bf8f01cfea"},
            },
        ],
    }
    assert "ü" in text
    assert [line[:10] for line in text.splitlines()[1:4]] == ['  {"node":'] * 3


def test_other_outputs_are_named(tmp_path: Path) -> None:
    golden(tmp_path / "x", ITEMS, update=True)
    loud = Audio(np.array([[0.5, -1, 0.375]]), 8_000, 7)
    other = [Packet(loud, "gain", "out", 2, 1, 99, 3), *ITEMS[1:]]
    with pytest.raises(AssertionError, match=r"packet 0: samples at channel 0, frame 2 is 0\.375"):
        golden(tmp_path / "x", other)
    assert not golden(tmp_path / "x", other, tolerance=0.125)
    assert not golden(tmp_path / "x", other, ignore=["samples"])
    assert not golden(tmp_path / "x", other, tolerance={"Gain:samples": 1}, node="Gain")
    with pytest.raises(AssertionError, match="2 items, expected 3"):
        golden(tmp_path / "x", ITEMS[:2])
    assert golden(tmp_path / "x", other, update=True)
    assert not golden(tmp_path / "x", other)


@pytest.mark.parametrize(
    "outputs", [Text("a"), [Text("a"), Text("b")], [Emit("x", Text("a"))], ITEMS[0], []]
)
def test_all_that_can_be_compared_can_be_golden(tmp_path: Path, outputs: Sequence[Text]) -> None:
    golden(tmp_path / "x", outputs, update=True)
    assert not golden(tmp_path / "x", outputs)
    with pytest.raises(AssertionError):
        golden(tmp_path / "x", [Text("c")])


def test_a_result_is_the_same_in_every_run(tmp_path: Path) -> None:
    given = signals.blocks(signals.white_noise(0.2), sizes=range(1, 999), seed=1)
    golden(tmp_path / "x", run_node("Gain", given, gain_db=6), update=True)
    golden(tmp_path / "x", run_node("Gain", given, gain_db=6))
    with pytest.raises(AssertionError, match="packet 0: samples at channel 0, frame 0"):
        golden(tmp_path / "x", run_node("Gain", given, gain_db=6.01))


def test_files_that_do_not_belong_together(tmp_path: Path) -> None:
    golden(tmp_path / "x", ITEMS, update=True)
    golden(tmp_path / "y", ITEMS[:1], update=True)
    frames, words = tmp_path / "x.frames", tmp_path / "x.json"
    said = words.read_bytes()
    words.write_bytes((tmp_path / "y.json").read_bytes())
    with pytest.raises(AssertionError, match=r"x\.json does not describe x\.frames as it is"):
        golden(tmp_path / "x", ITEMS)
    words.unlink()
    with pytest.raises(AssertionError, match=r"x\.json does not describe"):
        golden(tmp_path / "x", ITEMS)
    words.write_bytes(said)
    assert not golden(tmp_path / "x", ITEMS)
    cut = frames.read_bytes()[:-1]
    frames.write_bytes(cut)
    words.write_text(hashlib.sha256(cut).hexdigest(), encoding="utf-8")
    with pytest.raises(AssertionError, match=r"golden .*x\.frames, frame 2: .*cut short"):
        golden(tmp_path / "x", ITEMS)


def test_what_cannot_be_kept_leaves_no_file(tmp_path: Path) -> None:
    golden(tmp_path / "x", ITEMS, update=True)
    before = (tmp_path / "x.frames").read_bytes()
    wrong = [*ITEMS, Packet(Text("a"), "n", sequence=-1)]
    with pytest.raises(Exception, match="sequence"):
        golden(tmp_path / "x", wrong, update=True)
    assert (tmp_path / "x.frames").read_bytes() == before


def test_a_folder_of_goldens(tmp_path: Path) -> None:
    written: dict[str, str] = {}
    told: list[str] = []

    def folder(test: str, update: bool) -> GoldenFolder:
        return GoldenFolder(
            tmp_path / "golden", update=update, written=written, test=test, tell=told.append
        )

    with pytest.raises(AssertionError, match="there is no golden"):
        folder("t::a", False)("x", ITEMS)
    folder("t::a", True)("x", ITEMS)
    folder("t::a", True)("deep/y", ITEMS)
    assert told == [str(tmp_path / "golden" / name) for name in ("x.frames", "deep/y.frames")]
    folder("t::b", True)("x", ITEMS)
    with pytest.raises(AssertionError, match="items, expected 3") as caught:
        folder("t::b", True)("x", ITEMS[:1])
    assert caught.value.__notes__ == [
        f"golden {tmp_path / 'golden' / 'x'}: --update-golden kept what t::a gave"
    ]
    folder("t::c", False)("x", ITEMS)
    assert len(told) == 2
