"""A chain of gains in processes, for bench/processes.py: ours and those of peers."""

from __future__ import annotations

import statistics
from itertools import pairwise
from pathlib import Path

import numpy as np
from peers.serve import NODES, RATE, chunk_bytes

import remotemedia as rm
from harness.live import Live
from harness.peer import Peer
from remotemedia.session.boundary import CAPACITY

GAIN_DB = -1.0
FACTOR = np.float32(10 ** (GAIN_DB / 20))
SAMPLES = np.frombuffer(chunk_bytes(), np.float32)
BLOCK = rm.Audio(SAMPLES, RATE)
PEERS_CAPACITY = 64  # packets between two processes, as dora has it (see bench/peers)
WORKS = {"stream_8": 8, "stream_32": 32}
CHUNKS = {"session": 12_000, "inline": 12_000, "group": 12_000, "dora": 1500, "ray": 1500}
SINGLES = {"session": 2000, "inline": 2000, "group": 2000, "dora": 300, "ray": 300}


def chain(
    kind: str,
    nodes: int = NODES,
    node_type: str = "Gain",
    linked: bool = True,
    capacity: int = CAPACITY,
) -> rm.Pipeline:
    """Nodes in processes (``process``), in one (``group``), or here (``inline``)."""
    params = {"gain_db": GAIN_DB} if node_type == "Gain" else {}
    place: dict[str, object] = {"executor": "inline" if kind == "inline" else "process"}
    if kind == "group":
        place["process_group"] = "all"
    ids = [f"n{number}" for number in range(nodes)]
    edges = list(pairwise(ids)) if linked else []
    return rm.Pipeline.load(
        {
            "version": "v1",
            "nodes": [{"id": i, "node_type": node_type, "params": params, **place} for i in ids],
            "connections": [
                {"from": a, "to": b, "queue": {"capacity": capacity}} for a, b in edges
            ],
        }
    )


class Contestant:
    """One way to run the chain, and what all rounds gave.

    Attributes
    ----------
    rates : dict of str to list of float
        Of each way to feed it, chunks/s, a figure per round.
    singles : list of float
        One in flight, s.
    lost : float
        Chunks that never came back.
    """

    def __init__(self, name: str, python: Path | None = None) -> None:
        self.name = name
        self.rates: dict[str, list[float]] = {}
        self.singles: list[float] = []
        self.lost = 0.0
        self.versions: dict[str, str] = {}
        self._python = python
        self._kind = name.partition(",")[0]

    def run(self, share: float) -> None:
        """A round: start, check, work, end."""
        chunks = round(CHUNKS[self._kind] * share)
        singles = round(SINGLES[self._kind] * share)
        if self._python is not None:
            with Peer(self._kind, self._python, repr(float(FACTOR))) as peer:
                self.versions = peer.versions
                check(np.frombuffer(peer.result, np.float32), self.name)
                peer.ask("single", singles // 10)
                self.singles += peer.ask("single", singles)
                for work in WORKS:
                    peer.ask(work, chunks // 10)
                    self._keep(work, chunks / peer.ask(work, chunks))
                if self._kind == "dora":
                    self.lost += peer.ask("lost", 0)
            return
        kind = "process" if self._kind == "session" else self._kind
        capacity = PEERS_CAPACITY if "queues" in self.name else CAPACITY
        with Live(chain(kind, capacity=capacity), bells="bells" in self.name) as live:
            live.rest()
            live.round_trips(BLOCK, singles // 10)
            self.singles += live.round_trips(BLOCK, singles)
            for work, in_flight in WORKS.items():
                live.stream(BLOCK, chunks // 10, in_flight)
                self._keep(work, chunks / live.stream(BLOCK, chunks, in_flight))
            self._keep("flood", chunks / live.flood(BLOCK, chunks))
            check(live.last[0], self.name)

    def _keep(self, work: str, rate: float) -> None:
        self.rates.setdefault(work, []).append(rate)

    def best(self) -> str:
        """What it is fed with when it is quickest."""
        return max(self.rates, key=lambda work: statistics.median(self.rates[work]))


def check(samples: np.ndarray, name: str) -> None:
    """The result is what numpy gives."""
    expected = SAMPLES
    for _ in range(NODES):
        expected = expected * FACTOR
    np.testing.assert_allclose(samples, expected, rtol=1e-6, err_msg=name)


def by(one: Contestant, work: str, other: Contestant, other_work: str) -> list[float]:
    """Ratios of rates, round by round."""
    pairs = zip(one.rates[work], other.rates[other_work], strict=True)
    return [mine / theirs for mine, theirs in pairs]
