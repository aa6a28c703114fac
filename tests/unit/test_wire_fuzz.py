"""A short run of tests/fuzz/fuzz_wire.py; the long one (10**6 frames) is run by hand."""

from __future__ import annotations

from fuzz.fuzz_wire import fuzz


def test_ten_thousand_mutated_frames() -> None:
    report = fuzz(10_000, seed=20260422)
    assert report.accepted > 500
    assert sum(report.refused.values()) > 5000
    assert len(report.refused) > 40  # the mutations reach every layer
    assert report.traced > 20


def test_the_same_seed_makes_the_same_frames() -> None:
    first, second = fuzz(300, seed=3, drawn=False), fuzz(300, seed=3, drawn=False)
    assert first.refused == second.refused
    assert first.accepted == second.accepted
