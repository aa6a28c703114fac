"""Display: lines, and a table of spans of time."""

from __future__ import annotations

from remotemedia.cli.segments import Display
from remotemedia.data import Audio, Json, Packet, Text


def shown(*packets: Packet) -> list[str]:
    lines: list[str] = []
    display = Display(lines.append)
    for packet in packets:
        display.show(packet)
    display.finish()
    return lines


def span(port: str, start_s: float, end_s: float, **fields: object) -> Packet:
    times = {"start_us": round(start_s * 1e6), "end_us": round(end_s * 1e6)}
    return Packet(Json({**times, **fields}), port)


def test_text_and_json_are_lines() -> None:
    lines = shown(
        Packet(Text("hello\x1b"), "a"),
        Packet(Json({"a": [1]}), "a"),
        Packet(Json(7, pts_us=1_234_567), "b", "x"),
        Packet(Audio.unchecked(None, 8000), "a"),
    )
    assert lines == ["hello\\x1b", 'a:out  {"a":[1]}', "    1.235 s  b:x  7"]


def test_spans_of_several_ports_are_one_row() -> None:
    lines = shown(
        Packet(Json({"start_us": 1_000_000, "event": "start"}), "vad"),
        span("vad", 1, 2.5, snr_db=20.04),
        span("level", 1.0004, 2.4996, integrated_lufs=-23.04, momentary_lufs=-20, kind="final"),
        span("vad", 3, 4, snr_db=None),
    )
    assert lines == [
        "   #     start s       end s  duration s  loudness LUFS      SNR dB",
        "   1       1.000       2.500       1.500          -23.0        20.0",
        "   2       3.000       4.000       1.000              -           -",
    ]


def test_a_port_may_be_one_span_behind() -> None:
    lines = shown(
        span("vad", 1, 2, snr_db=1),
        span("vad", 3, 4, snr_db=3),
        span("level", 1, 2, peak_dbfs=-1),
        span("vad", 5, 6, snr_db=5),
        span("level", 3, 4, peak_dbfs=-3),
        span("level", 5, 6, peak_dbfs=-5),
    )
    assert [line.split()[-2:] for line in lines[1:]] == [
        ["-1.0", "1.0"],
        ["-3.0", "3.0"],
        ["-5.0", "5.0"],
    ]


def test_rows_come_as_soon_as_all_ports_have_told() -> None:
    lines: list[str] = []
    display = Display(lines.append)
    for index in range(2):
        display.show(span("vad", 2 * index, 2 * index + 1, snr_db=index))
    assert lines == []  # others may tell of them
    display.show(span("vad", 4, 5, snr_db=2))
    assert len(lines) == 4  # nobody did
    display.show(span("vad", 6, 7, snr_db=3))
    assert len(lines) == 5


def test_a_new_column_gives_a_new_head() -> None:
    packets = [span("a", index, index + 1, label="x") for index in range(4)]
    lines = shown(*packets, span("a", 5, 6, label="y", confidence=0.5))
    assert [line for line in lines if "#" in line] == [
        "   #     start s       end s  duration s       label",
        "   #     start s       end s  duration s  confidence       label",
    ]
    assert lines[-1].split() == ["5", "5.000", "6.000", "1.000", "0.50", "y"]


def test_streams_are_kept_apart() -> None:
    lines = shown(
        *(Packet(Json({"start_us": 0, "end_us": 1}, stream_id=stream), "a") for stream in "ab")
    )
    assert len(lines) == 3


def test_interim_reports_tell_their_momentary_loudness() -> None:
    lines = shown(span("l", 0, 1, integrated_lufs=-1.0, momentary_lufs=-2.0, kind="interim"))
    assert lines[0].split()[-2:] == ["momentary", "LUFS"]
    assert lines[1].split()[-1] == "-2.0"
