"""Denoise on noisy speech, against DTLN as its paper describes it, by raw calls of onnxruntime."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from remotemedia.data import Audio
from remotemedia.errors import ModelError
from remotemedia.node import Context, make_params
from remotemedia.nodes.models.denoise import Denoise
from remotemedia.testing import VirtualClock, run_node

RATE = 16000
US = 1_000_000


@pytest.fixture(scope="module")
def dtln(models: Path) -> Path:
    return models / "dtln"


@pytest.fixture(scope="module")
def clean(speech: np.ndarray) -> np.ndarray:
    """20 s of the recording at 16 kHz."""
    outputs = run_node("AudioResample", [Audio(speech, 48000)], target_rate=RATE).data
    return np.concatenate([each.samples[0] for each in outputs])[: RATE * 20]


@pytest.fixture(scope="module")
def noisy(clean: np.ndarray) -> np.ndarray:
    """With white noise, 5 dB below the speech, to a peak of 0.9."""
    noise = np.random.default_rng(0).standard_normal(len(clean)).astype(np.float32)
    noise *= np.sqrt((clean**2).mean() / (noise**2).mean()) / 10 ** (5 / 20)
    mixed = clean + noise
    return (mixed * (0.9 / np.abs(mixed).max())).astype(np.float32)


Reference = Callable[..., np.ndarray]


@pytest.fixture(scope="module")
def reference(dtln: Path) -> Reference:
    """DTLN over runs of samples that nothing connects but the states of the networks.

    The loop of the authors' `real_time_processing_onnx.py`: shift 128 samples into a buffer, mask
    the magnitudes, add what comes out to a second buffer, shift 128 samples out of that; here in
    float64. What leaves it belongs to 384 samples before.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    first, second = (
        onnxruntime.InferenceSession(dtln / f"model_{number}.onnx", options) for number in (1, 2)
    )

    def process(*runs: np.ndarray) -> np.ndarray:
        state_1 = state_2 = np.zeros((1, 2, 128, 2), np.float32)
        found = []
        for run in runs:
            hops = -(-len(run) // 128) + 3
            padded = np.zeros(hops * 128)
            padded[: len(run)] = run
            window, sums, out = np.zeros(512), np.zeros(512), []
            for hop in range(hops):
                window = np.concatenate([window[128:], padded[hop * 128 :][:128]])
                spectrum = np.fft.rfft(window)
                magnitudes = np.abs(spectrum).astype(np.float32).reshape(1, 1, 257)
                feeds = {"input_2": magnitudes, "input_3": state_1}
                mask, state_1 = first.run(["activation_2", "tf_op_layer_stack_2"], feeds)
                masked = np.abs(spectrum) * mask[0, 0] * np.exp(1j * np.angle(spectrum))
                block = np.fft.irfft(masked).astype(np.float32).reshape(1, 1, 512)
                feeds = {"input_4": block, "input_5": state_2}
                given, state_2 = second.run(["conv1d_3", "tf_op_layer_stack_5"], feeds)
                sums = np.concatenate([sums[128:], np.zeros(128)]) + given[0, 0]
                out.append(sums[:128])
            found.append(np.concatenate(out)[384:][: len(run)])
        return np.concatenate(found)

    return process


def run(dtln: Path, inputs: list[Audio], **params: object) -> list[Audio]:
    return run_node(Denoise, inputs, params={"model": str(dtln), **params}).data


def cut(samples: np.ndarray, sizes: int | list[int], **fields: object) -> list[Audio]:
    """Blocks of these sizes, over and over."""
    each = [sizes] if isinstance(sizes, int) else sizes
    blocks, start = [], 0
    while start < samples.shape[-1]:
        size = each[len(blocks) % len(each)]
        blocks.append(Audio(samples[..., start : start + size], RATE, **fields))
        start += size
    return blocks


def joined(outputs: list[Audio], stream: str | None = None) -> np.ndarray:
    return np.concatenate([each.samples for each in outputs if each.stream_id == stream], axis=1)


def si_sdr(estimate: np.ndarray, target: np.ndarray) -> float:
    """Le Roux et al., "SDR - half-baked or well done?", ICASSP 2019, dB."""
    estimate, target = estimate.astype(np.float64), target.astype(np.float64)
    part = (estimate @ target) / (target @ target) * target
    return float(10 * np.log10((part @ part) / ((estimate - part) @ (estimate - part))))


def test_it_is_dtln_and_takes_the_noise_out(
    dtln: Path, clean: np.ndarray, noisy: np.ndarray, reference: Reference
) -> None:
    found = joined(run(dtln, cut(noisy, 320)))
    assert found.shape == (1, len(noisy))
    np.testing.assert_allclose(found[0], reference(noisy), rtol=0, atol=1e-4)
    # Sample i is sample i: nothing is shifted before the comparison.
    before, after = si_sdr(noisy, clean), si_sdr(found[0], clean)
    print(f"SI-SDR {before:.2f} dB -> {after:.2f} dB")  # noqa: T201  # pytest -rP shows it
    assert before == pytest.approx(5, abs=0.1)
    assert after - before >= 8


@pytest.mark.parametrize("length", [1, 127, 128, 129, 384, 512, 5000])
def test_any_length_comes_out_whole(
    dtln: Path, noisy: np.ndarray, reference: Reference, length: int
) -> None:
    samples = noisy[30000 : 30000 + length]
    found = joined(run(dtln, [Audio(samples, RATE)]))
    assert found.shape == (1, length)
    np.testing.assert_allclose(found[0], reference(samples), rtol=0, atol=1e-4)


@pytest.mark.parametrize("sizes", [1, 127, 128, 160, [1, 1000, 3, 129, 513], 4096], ids=str)
def test_any_blocks_are_one(dtln: Path, noisy: np.ndarray, sizes: int | list[int]) -> None:
    samples = noisy[:5001]
    whole = joined(run(dtln, [Audio(samples, RATE)]))
    np.testing.assert_array_equal(joined(run(dtln, cut(samples, sizes))), whole)


def test_what_is_emitted_when(dtln: Path, noisy: np.ndarray) -> None:
    """A sample comes with the input 24 ms after its hop, and has its own time."""
    outputs = run(
        dtln,
        [Audio(each.samples, RATE, i * 8000) for i, each in enumerate(cut(noisy[: 128 * 10], 128))],
    )
    assert [each.frames for each in outputs] == [128] * 7 + [384]
    assert [each.pts_us for each in outputs] == [i * 8000 for i in range(8)]


def test_channels_and_streams_are_by_themselves(dtln: Path, noisy: np.ndarray) -> None:
    left, right = noisy[:8000], noisy[50000:58000]
    expected = [joined(run(dtln, [Audio(each, RATE)]))[0] for each in (left, right)]
    stereo = run(dtln, cut(np.stack([left, right]), 700))
    np.testing.assert_array_equal(joined(stereo), expected)
    # What `Audio` promises, for which it was not checked.
    flags = [each.samples.flags for each in stereo]
    assert all(each.c_contiguous and not each.writeable for each in flags)
    blocks = zip(cut(left, 700, stream_id="a"), cut(right, 700, stream_id="b"), strict=True)
    outputs = run(dtln, [block for pair in blocks for block in pair])
    for stream, samples in zip("ab", expected, strict=True):
        np.testing.assert_array_equal(joined(outputs, stream), [samples])


@pytest.mark.parametrize("first", [200, 6400, 6401])
@pytest.mark.parametrize("gap_us", [500_000, -100_000])
def test_a_gap(
    dtln: Path, noisy: np.ndarray, reference: Reference, first: int, gap_us: int
) -> None:
    before, after = noisy[20000 : 20000 + first], noisy[40000:44000]
    resumed_us = first * US // RATE + gap_us
    blocks = [
        Audio(before, RATE, 0),
        Audio(after[:900], RATE, resumed_us),
        Audio(after[900:], RATE),
    ]
    outputs = run(dtln, blocks)
    np.testing.assert_allclose(joined(outputs)[0], reference(before, after), rtol=0, atol=1e-4)
    marked = [each for each in outputs if (each.metadata or {}).get("gap_us")]
    (resumed,) = marked
    # The time is in whole microseconds, so that the gap is, too.
    assert resumed.metadata["gap_us"] == pytest.approx(gap_us, abs=1)
    assert resumed.pts_us == resumed_us
    at = outputs.index(resumed)
    assert sum(each.frames for each in outputs[:at]) == first
    assert outputs[0].pts_us == 0


def test_another_number_of_channels_starts_anew(dtln: Path, noisy: np.ndarray) -> None:
    mono, stereo = noisy[:3000], np.stack([noisy[3000:6000], noisy[9000:12000]])
    outputs = run(dtln, [Audio(mono, RATE, 0), Audio(stereo, RATE)])
    alone = [run(dtln, [Audio(each, RATE)]) for each in (mono, stereo)]
    for channels, expected in zip((1, 2), alone, strict=True):
        found = joined([each for each in outputs if each.channels == channels])
        np.testing.assert_array_equal(found, joined(expected))
    assert next(each for each in outputs if each.channels == 2).pts_us == 3000 * US // RATE


def test_silence_stays_silence(dtln: Path, noisy: np.ndarray) -> None:
    assert not joined(run(dtln, cut(np.zeros(RATE, np.float32), 320))).any()
    # And returns to it after speech, once no window holds any.
    samples = np.concatenate([noisy[20000:28000], np.zeros(8000, np.float32)])
    found = joined(run(dtln, cut(samples, 320)))[0]
    assert found[:8000].any()
    assert not found[8000 + 512 :].any()


def test_what_is_not_finite_counts_as_0(dtln: Path, noisy: np.ndarray) -> None:
    samples = noisy[20000:28000].copy()
    zeroed = samples.copy()
    samples[4000:4010], samples[5000], samples[6000] = np.nan, np.inf, -np.inf
    zeroed[4000:4010], zeroed[5000], zeroed[6000] = 0, 0, 0
    for mix in (0, 0.5):
        found, expected = (
            joined(run(dtln, [Audio(each, RATE)], mix=mix)) for each in (samples, zeroed)
        )
        np.testing.assert_array_equal(found, expected)


def test_no_burst_lasts(dtln: Path, clean: np.ndarray, noisy: np.ndarray) -> None:
    """However loud it is, the networks come back from it."""
    for loud in (1e4, 3e38):
        samples = noisy[: RATE * 6].copy()
        samples[RATE : RATE + 400] = loud * np.sign(samples[RATE : RATE + 400])
        found = joined(run(dtln, [Audio(samples, RATE)]))[0]
        assert np.isfinite(found).all()
        rest = slice(RATE * 3, RATE * 6)
        assert si_sdr(found[rest], clean[rest]) - si_sdr(noisy[rest], clean[rest]) >= 6


def test_the_mix(dtln: Path, noisy: np.ndarray) -> None:
    samples = noisy[20000:25000]
    np.testing.assert_array_equal(joined(run(dtln, cut(samples, 300), mix=1))[0], samples)
    cleaned = joined(run(dtln, cut(samples, 300)))[0]
    found = joined(run(dtln, cut(samples, 300), mix=0.25))[0]
    expected = 0.75 * cleaned.astype(np.float64) + 0.25 * samples.astype(np.float64)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6)


def test_the_mix_changes_while_it_runs(dtln: Path, noisy: np.ndarray) -> None:
    samples = noisy[20000:28000]
    cleaned = joined(run(dtln, [Audio(samples, RATE)]))[0]
    node = Denoise(model=str(dtln))
    node.open(Context("denoise", VirtualClock(), {}, {}))
    first = joined(node.process(Audio(samples[:4096], RATE)))[0]
    node.update(make_params(Denoise, {"mix": 1}))
    second = joined([*node.process(Audio(samples[4096:], RATE)), *node.finish()])[0]
    node.close()
    np.testing.assert_array_equal(first, cleaned[: 4096 - 384])
    np.testing.assert_array_equal(second, samples[4096 - 384 :])


def test_after_a_failed_run_samples_are_where_they_were(
    dtln: Path, noisy: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The block is lost, and what waited for it; what follows is not early."""
    node = Denoise(model=str(dtln), mix=1)
    node.open(Context("denoise", VirtualClock(), {}, {}))
    outputs = []
    for number, block in enumerate(cut(noisy[:16000], 320)):
        stamped = Audio(block.samples, RATE, number * 20_000)
        if number == 20:
            with monkeypatch.context() as broken, pytest.raises(RuntimeError, match="no memory"):
                broken.setattr(node.models[1], "run", fail)
                node.process(stamped)
        else:
            outputs += node.process(stamped) or ()
    outputs += node.finish()
    node.close()
    for each in outputs:
        start = each.pts_us * RATE // US
        np.testing.assert_array_equal(each.samples[0], noisy[start : start + each.frames])
    lost = 16000 - sum(each.frames for each in outputs)
    assert 320 <= lost <= 320 + 512


def fail(feeds: object) -> None:
    raise RuntimeError("no memory")


def test_other_models_are_refused(dtln: Path, tmp_path: Path) -> None:
    shutil.copy(dtln / "model_1.onnx", tmp_path / "model_1.onnx")
    with pytest.raises(ModelError, match=r"lacks model_2\.onnx"):
        run(tmp_path, [Audio(np.zeros(128, np.float32), RATE)])
    shutil.copy(dtln / "model_1.onnx", tmp_path / "model_2.onnx")
    with pytest.raises(ModelError, match=r"model_2\.onnx of model .* is not DTLN's: its inputs"):
        run(tmp_path, [Audio(np.zeros(128, np.float32), RATE)])
