"""A short run of tests/fuzz/fuzz_sessions.py; the long one (10**4 rounds) is run by hand."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator

import pytest

from fuzz.session_graphs import OVERFLOWS
from fuzz.session_nodes import KINDS
from fuzz.session_round import ENDS, Round

ROUNDS = 15  # per seed


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    logging.disable(logging.WARNING)  # nodes fail on purpose
    yield
    logging.disable(logging.NOTSET)


@pytest.mark.parametrize("seed", range(8))
def test_sessions_that_are_played_with_at_random(seed: int) -> None:
    for number in range(ROUNDS):
        Round(1_000_000 + seed * ROUNDS + number, Counter()).run()


def test_all_of_it_is_drawn() -> None:
    drawn: Counter[str] = Counter()
    for number in range(50):
        Round(2_000_000 + number, drawn).run()
    for what in [*KINDS, *(f"queue {name}" for name in OVERFLOWS), *(f"end {end}" for end in ENDS)]:
        assert drawn[what], what
    assert drawn["packets received"] > 200
    assert drawn["edits carried out"] > 5


def test_a_seed_gives_the_same_round_again() -> None:
    def play(seed: int) -> tuple[Counter[str], list[tuple[object, ...]]]:
        drawn: Counter[str] = Counter()
        played = Round(seed, drawn)
        played.run()
        return drawn, [
            (each.node, each.port, each.sequence, each.sub_sequence, each.timestamp_us)
            for each in played.packets
        ]

    for seed in range(20):
        assert play(seed) == play(seed)
