"""IIRFilter. Judged by the analytic Butterworth response and by golden vectors made with sox."""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

import remotemedia as rm
from remotemedia import registry
from remotemedia.caps import parse_caps
from remotemedia.data import Audio
from remotemedia.errors import ManifestError, NodeError, ParamsError, UnavailableError
from remotemedia.node import Context, make_params
from remotemedia.nodes.audio.iir_filter import SILENT, STRIDE, IIRFilter

GOLDEN = Path(__file__).parents[3] / "golden" / "nodes" / "audio"
BAND: dict[str, Any] = {"kind": "bandpass", "low_hz": 300, "high_hz": 3400}


def noise(frames: int, channels: int = 1) -> NDArray[np.float32]:
    return np.random.default_rng(7).uniform(-1, 1, (channels, frames)).astype(np.float32)


def filtered(samples: NDArray[Any], rate: int, **params: Any) -> NDArray[np.float32]:
    return IIRFilter(**params).process(Audio(samples, rate)).samples


def cut(samples: NDArray[Any], sizes: list[int]) -> list[NDArray[Any]]:
    """`samples` in blocks of these sizes, the rest in one."""
    return np.split(samples, np.minimum(np.cumsum(sizes), samples.shape[-1]), axis=-1)


def in_blocks(node: IIRFilter, blocks: list[NDArray[Any]], rate: int) -> NDArray[np.float32]:
    return np.concatenate([node.process(Audio(block, rate)).samples for block in blocks], axis=1)


# -- the samples ---------------------------------------------------------------------------------


@pytest.mark.parametrize("number", range(7))
def test_golden_noise(number: int) -> None:
    # Made by make_iir_filter.py with sox, which gives 24 bits.
    entries = json.loads((GOLDEN / "iir_filter.json").read_text())
    assert len(entries) == 7
    entry = entries[number]
    given_samples = np.load(GOLDEN / "iir_filter_noise.npy")
    expected = np.load(GOLDEN / "iir_filter_sox.npy")[number]
    out = filtered(given_samples, entry["sample_rate"], **entry["params"])[0]
    np.testing.assert_allclose(out, expected, rtol=0, atol=2**-24)


def responses(
    rate: int, frames: int, params: dict[str, Any]
) -> tuple[NDArray[np.float64], NDArray[np.complex128], NDArray[np.complex128]]:
    """Frequencies, what the node does there, and what the analogue prototype would, warped."""
    impulse = np.zeros(frames, np.float32)
    impulse[0] = 1
    frequencies = np.fft.rfftfreq(frames, 1 / rate)[1:-1]
    actual = np.fft.rfft(filtered(impulse, rate, **params)[0].astype(np.float64))[1:-1]
    s = 1j * np.tan(np.pi * frequencies / rate)
    order = params["order"]
    if params["kind"] == "bandpass":
        low, high = (math.tan(math.pi * params[f"{end}_hz"] / rate) for end in ("low", "high"))
        s = (s * s + low * high) / (s * (high - low))
    else:
        s = s / math.tan(math.pi * params["cutoff_hz"] / rate)
        s = s if params["kind"] == "lowpass" else 1 / s
    poles = np.exp(1j * np.pi * (2 * np.arange(order) + order + 1) / (2 * order))
    return frequencies, actual, 1 / np.prod(s[:, None] - poles, axis=1)


@pytest.mark.parametrize("order", range(1, 9))
@pytest.mark.parametrize(
    "params",
    [
        {"kind": "lowpass", "cutoff_hz": 1000},
        {"kind": "lowpass", "cutoff_hz": 12_000},  # a quarter of the rate: the pole at order 1 is 0
        {"kind": "lowpass", "cutoff_hz": 23_000},
        {"kind": "highpass", "cutoff_hz": 80},
        {"kind": "highpass", "cutoff_hz": 20_000.5},
        BAND,
        {"kind": "bandpass", "low_hz": 20, "high_hz": 20_000},
        {"kind": "bandpass", "low_hz": 1000, "high_hz": 1100},
    ],
    ids=str,
)
def test_magnitude_and_phase_at_all_frequencies(params: dict[str, Any], order: int) -> None:
    # The impulse response ends within 2¹⁷ samples, so this says what happens to any signal.
    _, actual, expected = responses(48_000, 2**17, {**params, "order": order})
    np.testing.assert_allclose(actual, expected, rtol=0, atol=4e-7)  # float32, summed


def level_db(frequency: int, **params: Any) -> float:
    """What comes out of a sine of amplitude 1, once it has settled, dB."""
    phase = 2 * np.pi * frequency / 48_000 * np.arange(48_000)
    settled = filtered(np.sin(phase), 48_000, **params)[0, 24_000:].astype(np.float64)
    return float(20 * np.log10(np.abs(2 * np.mean(settled * np.exp(-1j * phase[24_000:])))))


@pytest.mark.parametrize("order", range(1, 9))
def test_half_the_power_at_the_cut_off_and_6_db_per_octave_and_order(order: int) -> None:
    low: dict[str, Any] = {"kind": "lowpass", "cutoff_hz": 1000, "order": order}
    high: dict[str, Any] = {"kind": "highpass", "cutoff_hz": 1600, "order": order}
    band: dict[str, Any] = {"kind": "bandpass", "low_hz": 1000, "high_hz": 1500, "order": order}
    edges = [level_db(1000, **low), level_db(1600, **high)]
    edges += [level_db(1000, **band), level_db(1500, **band)]
    assert edges == pytest.approx([10 * math.log10(0.5)] * 4, abs=1e-6)  # −3.01 dB
    assert level_db(50, **low) == pytest.approx(0, abs=0.02)
    # One octave, at both sides of what passes: |H|² ≈ (ω / ω₀)²ⁿ, with ω warped.
    octave = 20 * math.log10(math.tan(math.pi * 200 / 48_000) / math.tan(math.pi * 100 / 48_000))
    assert octave == pytest.approx(6.02, abs=0.01)
    rise = level_db(200, **high) - level_db(100, **high)
    assert rise == pytest.approx(order * octave, abs=0.06)
    octave = 20 * math.log10(math.tan(math.pi / 3) / math.tan(math.pi / 6))
    fall = level_db(8_000, **low) - level_db(16_000, **low)
    assert fall == pytest.approx(order * octave, abs=0.1)
    assert level_db(100, **band) < -20 * order
    assert level_db(10_000, **band) < -20 * order


def direct(samples: NDArray[Any], a: list[float], b: list[float]) -> list[float]:
    """The difference equation as it is defined, of one channel."""
    x, y = [float(value) for value in samples], []
    for n in range(len(x)):
        past = sum(a[k] * y[n - k] for k in range(1, len(a)) if n >= k)
        y.append(sum(b[k] * x[n - k] for k in range(len(b)) if n >= k) - past)
    return y


def test_the_difference_equation_of_order_2() -> None:
    samples = noise(500)[0]
    k = math.tan(math.pi * 700 / 16_000)
    norm = 1 + math.sqrt(2) * k + k * k
    a = [1, 2 * (k * k - 1) / norm, (1 - math.sqrt(2) * k + k * k) / norm]
    low = direct(samples, a, [k * k / norm, 2 * k * k / norm, k * k / norm])
    high = direct(samples, a, [1 / norm, -2 / norm, 1 / norm])
    for kind, expected in (("lowpass", low), ("highpass", high)):
        out = filtered(samples, 16_000, kind=kind, cutoff_hz=700)[0]
        np.testing.assert_allclose(out, expected, rtol=0, atol=2**-24)


def test_channels_do_not_mix() -> None:
    samples = noise(9000, 3)
    together = filtered(samples, 44_100, **BAND)
    for row, channel in zip(together, samples, strict=True):
        assert row.tobytes() == filtered(channel, 44_100, **BAND)[0].tobytes()


@settings(max_examples=60)
@given(
    params=st.sampled_from(
        [
            {"order": 1},
            {"order": 8, "cutoff_hz": 7999.0},
            {"kind": "highpass"},
            {**BAND, "order": 5},
        ]
    ),
    sizes=st.lists(st.integers(0, 5000), max_size=12),
    frames=st.integers(1, 3 * STRIDE),
    silent=st.integers(0, 2 * STRIDE),
)
def test_any_chunking_gives_the_same_bits(
    params: dict[str, Any], sizes: list[int], frames: int, silent: int
) -> None:
    samples = noise(frames, 2)
    samples[:, frames // 3 : frames // 3 + silent] = 0
    parts = in_blocks(IIRFilter(**params), cut(samples, sizes), 16_000)
    assert parts.tobytes() == filtered(samples, 16_000, **params).tobytes()


@pytest.mark.parametrize("frames", [STRIDE - 1, STRIDE, STRIDE + 1])
def test_single_samples_give_the_same_bits(frames: int) -> None:
    samples = noise(frames)
    samples[:, 100:] = 0
    parts = in_blocks(IIRFilter(order=4), cut(samples, [1] * frames), 48_000)
    assert parts.tobytes() == filtered(samples, 48_000, order=4).tobytes()


@pytest.mark.parametrize("params", [{"order": 8}, {"kind": "highpass", "order": 7}, BAND], ids=str)
@pytest.mark.parametrize("level", [0.0, 0.5])
def test_no_denormal_number_stays_in_the_state(params: dict[str, Any], level: float) -> None:
    node = IIRFilter(**params)
    node.process(Audio(noise(5000), 48_000))
    for _ in range(20):
        last = node.process(Audio(np.full(STRIDE, level, np.float32), 48_000))
    node.process(Audio(np.full(-5000 % STRIDE, level, np.float32), 48_000))
    state = np.abs(node._streams[None]._state)
    assert ((state == 0) | (state >= SILENT)).all()
    if not level:
        assert not state.any()
        assert not last.samples.any()


@pytest.mark.parametrize("params", [{"order": 1, "cutoff_hz": 4000.0}, {"order": 4}, BAND], ids=str)
def test_samples_that_are_not_finite_count_as_zero(params: dict[str, Any]) -> None:
    broken, clean = noise(2000), noise(2000)
    broken[0, [100, 700, 1500]] = np.nan, np.inf, -np.inf
    clean[0, [100, 700, 1500]] = 0
    out = filtered(broken, 16_000, **params)
    assert np.isfinite(out).all()
    assert out.tobytes() == filtered(clean, 16_000, **params).tobytes()


def test_the_largest_float_does_no_harm() -> None:
    samples = noise(2000)
    samples[0, 10:200] = np.finfo(np.float32).max
    out = filtered(samples, 16_000, order=8)[0]
    assert np.isinf(out).any()  # the filter overshoots
    assert np.isfinite(out[1000:]).all()
    assert np.abs(out[1900:]).max() < 1e6


# -- the stream ----------------------------------------------------------------------------------


def test_time_stamps_and_metadata_stay_and_a_gap_does_not_change_the_samples() -> None:
    samples = noise(960)
    first, second = cut(samples, [480])
    node = IIRFilter(**BAND)
    blocks = [
        node.process(Audio(first, 48_000, 5, "a", {"take": 1})),
        node.process(Audio(second, 48_000, 90_000, "a", {"take": 2})),
    ]
    assert [(b.pts_us, b.stream_id, b.metadata) for b in blocks] == [
        (5, "a", {"take": 1}),
        (90_000, "a", {"take": 2}),
    ]
    together = np.concatenate([block.samples for block in blocks], axis=1)
    assert together.tobytes() == filtered(samples, 48_000, **BAND).tobytes()


@pytest.mark.parametrize(("rate", "channels"), [(44_100, 1), (48_000, 2)])
def test_another_format_starts_from_silence(rate: int, channels: int) -> None:
    node = IIRFilter(kind="highpass", cutoff_hz=80.0)
    node.process(Audio(noise(960), 48_000))
    after = noise(500, channels)
    out = node.process(Audio(after, rate)).samples
    assert out.tobytes() == filtered(after, rate, kind="highpass", cutoff_hz=80.0).tobytes()
    assert list(node.finish()) == []


def test_streams_are_kept_apart() -> None:
    samples = noise(9600, 2)
    node = IIRFilter(order=3)
    out: dict[str, list[NDArray[np.float32]]] = {"left": [], "right": []}
    for left, right in zip(cut(samples[0], [700] * 9), cut(samples[1], [700] * 9), strict=True):
        for name, part in (("left", left), ("right", right)):
            out[name].append(node.process(Audio(part, 48_000, stream_id=name)).samples)
    for row, parts in enumerate(out.values()):
        mine = np.concatenate(parts, axis=1)
        assert mine.tobytes() == filtered(samples[row], 48_000, order=3).tobytes()


def test_reset_forgets() -> None:
    node = IIRFilter()
    first = node.process(Audio(noise(500), 48_000)).samples
    node.reset()
    assert node.process(Audio(noise(500), 48_000)).samples.tobytes() == first.tobytes()


def test_an_empty_block_stays_empty() -> None:
    block = IIRFilter().process(Audio(np.zeros((2, 0), np.float32), 48_000, 7))
    assert (block.samples.shape, block.pts_us) == ((2, 0), 7)


# -- what it declares ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"kind": "notch"}, "parameter kind: invalid enum value 'notch'"),
        ({"order": 0}, "parameter order: expected `int` >= 1, given 0"),
        ({"order": 9}, "parameter order: expected `int` <= 8, given 9"),
        ({"cutoff_hz": 0.5}, "parameter cutoff_hz: expected `float` >= 1.0, given 0.5"),
        ({"cutoff": 80}, "no parameter 'cutoff'; did you mean 'cutoff_hz'?"),
        (
            {"kind": "bandpass", "cutoff_hz": 80},
            "cutoff_hz is not for kind 'bandpass': give it low_hz and high_hz",
        ),
        ({"low_hz": 80}, "low_hz is not for kind 'lowpass': give it cutoff_hz"),
        (
            {"kind": "highpass", "high_hz": 80},
            "high_hz is not for kind 'highpass': give it cutoff_hz",
        ),
        (
            {"kind": "bandpass", "low_hz": 3400},
            "low_hz must be below high_hz, given 3400 and 3400",
        ),
    ],
)
def test_parameters_that_are_refused(fields: dict[str, object], message: str) -> None:
    with pytest.raises(ParamsError) as caught:
        make_params(IIRFilter, fields)
    assert message in str(caught.value)


def test_a_manifest_says_where() -> None:
    text = "version: v1\nnodes:\n  - {id: f, node_type: IIRFilter, params: {low_hz: 80}}\n"
    with pytest.raises(ManifestError, match=r"3:\d+: low_hz is not for kind 'lowpass'"):
        rm.Pipeline.load(text)


def context(caps: str = "audio(format=F32)") -> Context:
    return Context("rumble", None, {"in": parse_caps(caps)}, {})  # type: ignore[arg-type]


NYQUIST = (
    "IIRFilter 'rumble': {0} is 8000 Hz, but at a sample rate of 16000 Hz it has to be below "
    "8000 Hz: lower it, or put an AudioResample to more than 16000 Hz before the filter"
)


def test_a_rate_that_is_too_low_is_refused_at_once_if_it_is_known() -> None:
    node = IIRFilter(cutoff_hz=8000.0)
    node.open(context())
    node.open(context("audio(sample_rate=16001, format=F32)"))
    node.open(context("audio(sample_rate=[8000, 48000], format=F32)"))
    with pytest.raises(ParamsError) as caught:
        node.open(context("audio(sample_rate=16000, format=F32)"))
    assert str(caught.value) == NYQUIST.format("cutoff_hz")
    assert caught.value.node == "rumble"


def test_a_rate_that_is_too_low_is_refused_when_it_arrives() -> None:
    pipeline = rm.Pipeline()
    pipeline.add("IIRFilter", id="rumble", kind="bandpass", low_hz=10, high_hz=8000)
    blocks = [Audio(noise(99), rate) for rate in (48_000, 16_000, 48_000)]
    with pytest.raises((NodeError, ParamsError)) as caught:
        list(pipeline.run(blocks))
    assert NYQUIST.format("high_hz") in str(caught.value)
    kept = list(pipeline.run(blocks, on_error="skip"))
    assert [packet.data.sample_rate for packet in kept] == [48_000, 48_000]


# -- scipy ---------------------------------------------------------------------------------------


def test_missing_scipy_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "_is_installed", lambda requirement: False)
    with pytest.raises(ManifestError, match=r"'IIRFilter' needs scipy>=1.11: pip install 'scipy"):
        rm.Pipeline.load({"version": "v1", "nodes": [{"id": "f", "node_type": "IIRFilter"}]})


def test_broken_scipy_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "scipy.signal", None)
    with pytest.raises(UnavailableError, match=r"pip install 'remotemedia\[dsp\]'") as caught:
        IIRFilter().open(context())
    assert caught.value.node == "rumble"


def test_scipy_is_imported_by_a_graph_that_filters_and_by_no_other() -> None:
    import subprocess

    script = """
import sys, numpy, remotemedia as rm
from remotemedia.registry import default_registry

def run(*types):
    pipeline = rm.Pipeline()
    for name in types:
        pipeline.add(name, id=name)
    for a, b in zip(types, types[1:]):
        pipeline.connect(a, b)
    return list(pipeline.run([rm.Audio(numpy.ones(48_000, numpy.float32), 48_000)]))

registry = default_registry()
for name in registry.names():
    registry.find(name)
assert run("AudioResample", "Gain", "AudioChunker") and run("AudioLevel")
filtering = rm.Pipeline()
filtering.add("IIRFilter")
filtering.plan()
assert not [name for name in sys.modules if name.partition(".")[0] == "scipy"]
assert run("IIRFilter") and "scipy.signal" in sys.modules
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
