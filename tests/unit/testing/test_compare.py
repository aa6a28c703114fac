"""assert_close: what is the same, what is close, and what is said of the first that is neither."""

from __future__ import annotations

import math
import tomllib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from remotemedia import Audio, Binary, Data, Emit, Json, Packet, Tensor, Text
from remotemedia.testing import Tolerance, assert_close, run_node, signals
from remotemedia.testing.tolerance import Rule, find_tolerance, read_rules

WORLDS = Path(__file__).parents[2] / "worlds" / "tolerances.toml"


def changed(audio: Audio, *places: tuple[int, int, float]) -> Audio:
    samples = audio.samples.copy()
    for channel, frame, value in places:
        samples[channel, frame] = value
    return audio.replace(samples=samples)


def refused(actual: object, expected: object, **options: object) -> str:
    with pytest.raises(AssertionError) as caught:
        assert_close(actual, expected, **options)  # type: ignore[arg-type]
    return str(caught.value)


ZEROS = Audio(np.zeros((2, 100), np.float32), 8_000, 0)


# -- exactly -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "data",
    [
        signals.white_noise(0.01, channels=2),
        Audio(np.array([[np.nan, np.inf, -np.inf, -0.0]], np.float32), 8_000),
        Audio(np.arange(10, dtype=np.int16), 8_000, metadata={"a": [1, None, {"b": 2.5}]}),
        Text("a", pts_us=5),
        Json({"a": [1, 2.5, True, None, "x"]}),
        Tensor(np.arange(6, dtype=np.int64).reshape(2, 3)),
        Binary(b"abc"),
    ],
    ids=lambda data: type(data).__name__,
)
def test_a_copy_is_the_same(data: Data) -> None:
    copy = data.replace()
    assert_close(copy, data)
    assert_close([copy, copy], [data, data])
    assert_close(Packet(copy, "n"), Packet(data, "n"))
    assert_close([Emit("out", copy)], [Emit("out", data)])


def test_one_nan_is_as_good_as_another_but_for_its_place() -> None:
    quiet, other = np.array([0x7FC00000, 0x7FC00001], np.uint32).view(np.float32)
    assert_close(changed(ZEROS, (0, 3, quiet)), changed(ZEROS, (0, 3, other)))
    said = refused(changed(ZEROS, (0, 3, quiet)), ZEROS, tolerance=1e9)
    assert "samples at channel 0, frame 3 is nan, expected 0.0" in said
    assert "largest difference of samples: inf" in said


def test_minus_zero_is_another_number() -> None:
    assert "frame 3 is -0.0, expected 0.0" in refused(changed(ZEROS, (0, 3, -0.0)), ZEROS)
    assert "value is -0.0, expected 0.0" in refused(Json(-0.0), Json(0.0))
    assert_close(changed(ZEROS, (0, 3, -0.0)), ZEROS, tolerance=1e-9)


@pytest.mark.parametrize(
    ("actual", "expected", "said"),
    [
        (
            Text("a"),
            Json("a"),
            "its type is Text(text='a', channel='tts'), expected Json(value='a')",
        ),
        (Text("abcd"), Text("abXd"), "text from 2 on is 'abcd', expected 'abXd'"),
        (Text("ab"), Text("abX"), "text from 2 on is 'ab', expected 'abX'"),
        (Text("a", pts_us=1), Text("a"), "pts_us is 1, expected None"),
        (Text("a", pts_us=1), Text("a", pts_us=3), "pts_us is 1, expected 3"),
        (Binary(b"ab"), Binary(b"aX"), r"content from 1 on is b'ab', expected b'aX'"),
        (Json(1), Json(1.0), "value is 1, expected 1.0"),
        (Json(True), Json(1), "value is True, expected 1"),
        (Json({"a": [1, {"b": 2}]}), Json({"a": [1, {"b": 3}]}), "value.a[1].b is 2, expected 3"),
        (Json([1, 2]), Json([1]), "the length of value is 2, expected 1"),
        (Json({"a": 1}), Json({"b": 1}), "value.a is 1, expected no such key"),
        (Json({}), Json({"b": 1}), "value.b is missing, expected 1"),
        (
            Text("a", metadata={"x": {"y": 1}}),
            Text("a", metadata={"x": {"y": 2}}),
            "metadata.x.y is 1, expected 2",
        ),
        (ZEROS, ZEROS.replace(sample_rate=16_000), "sample_rate is 8000, expected 16000"),
        (
            ZEROS,
            Audio(np.zeros((1, 100), np.int16), 8_000, 0),
            "samples is float32[2, 100], expected int16[1, 100]",
        ),
        (
            Tensor(np.array([[1, 2], [3, 2**60]])),
            Tensor(np.array([[1, 2], [3, 2**60 + 1]])),
            "values at [1, 1] is 1152921504606846976, expected 1152921504606846977",
        ),
    ],
)
def test_the_difference_is_named(actual: Data, expected: Data, said: str) -> None:
    assert said in refused(actual, expected)
    assert f"item 1: {said}"[:20] in refused([expected, actual], [expected, expected])


def test_the_first_difference_and_the_largest() -> None:
    expected = [Packet(ZEROS, "gain", "out", number) for number in range(5)]
    actual = list(expected)
    off = changed(ZEROS, (1, 17, 0.25), (1, 40, -0.125))
    actual[2] = Packet(off, "gain", "out", 2)
    actual[4] = Packet(changed(ZEROS, (0, 99, 0.75)), "gain", "out", 4)
    assert refused(actual, expected, tolerance=0.01) == (
        "packet 2: samples at channel 1, frame 17 is 0.25, expected 0.0 (allowed: 0.01)\n"
        "largest difference of samples: 0.75 at item 4, channel 0, frame 99; "
        "3 of 400 values differ in 2 items"
    )
    assert refused(off, ZEROS) == (
        "samples at channel 1, frame 17 is 0.25, expected 0.0\n"
        "largest difference of samples: 0.25 at channel 1, frame 17; "
        "2 of 200 values differ in 1 item"
    )


def test_places_of_packets_count() -> None:
    packet = Packet(Text("a"), "n", "out", 3, 1, 50, 2)
    for field, value in {
        "node": "m",
        "port": "other",
        "sequence": 4,
        "sub_sequence": 0,
        "generation": 1,
        "timestamp_us": 51,
    }.items():
        fields = {name: getattr(packet, name) for name in packet.__struct_fields__}
        other = Packet(**{**fields, field: value})
        said = refused([packet], [other])
        assert said.startswith(f"packet 0: {field}")
        assert_close([packet], [other], ignore=[field])
    assert "output 0: port" in refused([Emit("a", ZEROS)], [Emit("b", ZEROS)])


def test_too_few_and_too_many() -> None:
    a, b = Text("a"), Text("b")
    assert refused([a], [a, b]) == (
        "1 items, expected 2; the first that is missing is number 1, Text(text='b', channel='tts')"
    )
    said = refused([b, a], [a])
    assert said.splitlines()[0] == "item 0: text from 0 on is 'b', expected 'a'"
    assert said.splitlines()[1].startswith("2 items, expected 1; the first that is too many is")
    assert_close([], [])


def test_a_result_is_compared_as_what_the_other_is() -> None:
    result = run_node("PassThrough", [Text("a"), Text("b")])
    assert_close(result, [Text("a"), Text("b")])
    assert_close(result, [Emit("out", Text("a")), Emit("out", Text("b"))])
    assert_close(result, result.packets)
    assert_close(result.packets, result)
    assert_close(result, run_node("PassThrough", [Text("a"), Text("b")]))
    assert "item 1: text" in refused(result, [Text("a"), Text("c")])
    assert "0 items, expected 2" in refused([], result)
    assert "its type is Packet, expected Text" in refused(result.packets, [Text("a"), Text("b")])


def test_what_is_no_data_is_not_compared() -> None:
    for wrong in ([1], ["a"], [ZEROS.samples], "text"):
        with pytest.raises(TypeError, match="Data, Emit and Packet can be compared, not"):
            assert_close(wrong, [ZEROS])  # type: ignore[arg-type]


# -- tolerances ----------------------------------------------------------------------------------


@given(
    value=st.floats(-1, 1, width=32),
    off=st.floats(-1, 1, width=32),
    allowed=st.floats(2**-30, 1, width=32),
)
def test_absolute_tolerance_of_samples(value: float, off: float, allowed: float) -> None:
    actual, expected = np.float32(value + off), np.float32(value)
    assume(actual != expected)
    pair = changed(ZEROS, (1, 5, actual)), changed(ZEROS, (1, 5, expected))
    if abs(float(actual) - float(expected)) <= allowed:
        assert_close(*pair, tolerance=allowed)
        assert_close(*pair, tolerance=Tolerance(allowed))
        assert_close(*pair, tolerance={"samples": allowed})
    else:
        refused(*pair, tolerance=allowed)
    refused(*pair, tolerance={"other": 9})


def test_tolerance_of_whole_samples() -> None:
    actual, expected = (Audio(np.array([0, value], np.int16), 8_000) for value in (100, 103))
    assert_close(actual, expected, tolerance=3)
    assert "frame 1 is 100, expected 103 (allowed: 2)" in refused(actual, expected, tolerance=2)
    # The difference of two uint8 does not wrap.
    actual, expected = (Audio(np.array([value], np.uint8), 8_000) for value in (1, 255))
    assert "largest difference of samples: 254" in refused(actual, expected, tolerance=3)


def test_signal_to_noise_ratio() -> None:
    expected = signals.tone(1_000, 0.1, amplitude=0.5)
    noise = signals.white_noise(0.1, amplitude=0.001)
    actual = expected.replace(samples=expected.samples + noise.samples)
    power, error = ((audio.samples.astype(float) ** 2).sum() for audio in (expected, noise))
    snr_db = 10 * math.log10(power / error)
    assert 50 < snr_db < 60
    assert_close(actual, expected, tolerance=Tolerance(snr_db=snr_db - 0.01))
    said = refused(actual, expected, tolerance=Tolerance(snr_db=snr_db + 0.01))
    assert f"(allowed: SNR ≥ {snr_db + 0.01:g} dB; the SNR is {snr_db:.2f} dB)" in said
    # Either will do.
    assert_close(actual, expected, tolerance=Tolerance(0.0011, snr_db=100))
    silent = expected.replace(samples=np.zeros_like(expected.samples))
    refused(actual, silent, tolerance=Tolerance(snr_db=0))


def test_tolerances_by_field_and_node() -> None:
    pair = Json({"in_lufs": 1.5, "x_lufs": -2.0}), Json({"in_lufs": 1.75, "x_lufs": -2.0})
    assert_close(*pair, tolerance={"*_lufs": 0.25})
    assert "value.in_lufs is 1.5, expected 1.75 (allowed: 0.2)" in refused(
        *pair, tolerance={"*_lufs": 0.2}
    )
    for_node = {"AudioLevel:*_lufs": 0.25, "samples": 1.0}
    refused(*pair, tolerance=for_node)
    assert_close(*pair, tolerance=for_node, node="AudioLevel")
    packets = [[Packet(data, "AudioLevel")] for data in pair]
    assert_close(*packets, tolerance=for_node)
    refused(*packets, tolerance=for_node, node="Other")
    # The first rule that covers counts.
    refused(*pair, tolerance={"in_lufs": 0.1, "*_lufs": 1.0})


def test_whole_numbers_have_to_be_named() -> None:
    pair = Text("a", pts_us=10), Text("a", pts_us=12)
    refused(*pair, tolerance=100)
    refused(*pair, tolerance={"*": 100})
    assert_close(*pair, tolerance={"*": 0, "pts_us": 2})
    assert "pts_us is 10, expected 12 (allowed: 1)" in refused(*pair, tolerance={"pts_us": 1})
    refused(Json({"n": 1}), Json({"n": 2}), tolerance=5)
    assert_close(Json({"n": 1}), Json({"n": 2}), tolerance={"n": 5})


def test_fields_can_be_ignored() -> None:
    pair = Json({"a": 1, "made_at": 5, "b": {"made_by": 1}}), Json({"a": 1, "made_at": 6, "b": {}})
    refused(*pair)
    assert_close(*pair, ignore=["made_*"])
    assert_close(pair[1], pair[0], ignore=["made_*"])
    assert_close(changed(ZEROS, (0, 0, 1)), ZEROS, ignore=["samples"])


def test_a_file_of_tolerances(tmp_path: Path) -> None:
    file = tmp_path / "tolerances.toml"
    file.write_text(
        '[[row]]\nnode = "Gain"\nfield = "samples"\ntolerance = 0.5\nunit = "of full scale"\n'
        '[[row]]\nfield = "samples"\nsnr_db = 90.5\n',
        encoding="utf-8",
    )
    assert read_rules(file) == (
        Rule("Gain", "samples", Tolerance(0.5)),
        Rule("*", "samples", Tolerance(0.0, 90.5)),
    )
    pair = changed(ZEROS, (0, 0, 0.5)), ZEROS
    assert_close(*pair, tolerance=str(file), node="Gain")
    refused(*pair, tolerance=file, node="Other")
    for wrong in ('[[row]]\nfeld = "samples"\n', "[[row]]\n", "row = 3\n", "[[row\n"):
        file.write_text(wrong, encoding="utf-8")
        with pytest.raises(ValueError, match=r"tolerances of .*tolerances\.toml: "):
            assert_close(*pair, tolerance=file)
    with pytest.raises(FileNotFoundError):
        assert_close(*pair, tolerance=tmp_path / "none.toml")


def test_the_table_of_the_two_worlds_can_be_used() -> None:
    rules = read_rules(WORLDS)
    rows = tomllib.loads(WORLDS.read_text(encoding="utf-8"))["row"]
    assert len(rules) == len(rows) > 5
    for row in rows:
        field = row["field"].replace("*", "x")
        found = find_tolerance(rules, row["node"], field, by_name=False)
        assert found == Tolerance(row["tolerance"])
