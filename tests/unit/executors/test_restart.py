"""Whether and when what has died is started anew."""

from __future__ import annotations

import pytest

from remotemedia.executors.restart import Restarts, also_restarted
from remotemedia.graph import Graph
from remotemedia.manifest import Restart, load_manifest
from remotemedia.testing import VirtualClock

SECOND_US = 1_000_000


def test_the_wait_grows_up_to_a_limit_until_it_has_settled(clock: VirtualClock) -> None:
    restarts = Restarts(Restart(max_restarts=20, delay_ms=100, max_delay_ms=1000), clock)
    assert [restarts.after(failed=True) for _ in range(6)] == [
        100_000,
        200_000,
        400_000,
        800_000,
        1_000_000,
        1_000_000,
    ]
    restarts.settled()
    assert [restarts.after(failed=True) for _ in range(2)] == [100_000, 200_000]
    assert restarts.verdict == ""


@pytest.mark.parametrize(
    ("policy", "waits"),
    [
        (Restart(delay_ms=0), [0, 0, 0]),
        (Restart(delay_ms=7.5, factor=1), [7_500, 7_500, 7_500]),
        (Restart(delay_ms=1, factor=3), [1_000, 3_000, 9_000]),
        (Restart(delay_ms=50, max_delay_ms=20), [20_000, 20_000, 20_000]),
    ],
)
def test_waits(clock: VirtualClock, policy: Restart, waits: list[int]) -> None:
    restarts = Restarts(policy, clock)
    assert [restarts.after(failed=True) for _ in range(3)] == waits


def test_a_thousand_restarts_overflow_nothing(clock: VirtualClock) -> None:
    restarts = Restarts(Restart(max_restarts=2000, factor=100), clock)
    waits = [restarts.after(failed=True) for _ in range(1000)]
    assert waits[-1] == 30 * SECOND_US


def test_too_many_within_the_window(clock: VirtualClock) -> None:
    restarts = Restarts(Restart(max_restarts=3, window_ms=60_000), clock)
    for _ in range(3):
        assert restarts.after(failed=True) is not None
        clock.advance(10 * SECOND_US)
    assert restarts.after(failed=True) is None
    assert restarts.verdict == "ended 4 times within 60 s; max_restarts is 3"


def test_what_is_older_than_the_window_does_not_count(clock: VirtualClock) -> None:
    restarts = Restarts(Restart(max_restarts=3, window_ms=60_000), clock)
    for _ in range(50):
        assert restarts.after(failed=True) is not None
        clock.advance(20 * SECOND_US)  # so three of them are within 60 s
    assert restarts.after(failed=True) is not None  # with two before it
    assert restarts.after(failed=True) is None
    assert restarts.verdict == "ended 4 times within 60 s; max_restarts is 3"


def test_no_restart_at_all(clock: VirtualClock) -> None:
    restarts = Restarts(Restart(max_restarts=0, window_ms=1500), clock)
    assert restarts.after(failed=True) is None
    assert restarts.verdict == "ended once within 1.5 s; max_restarts is 0"


@pytest.mark.parametrize(
    ("when", "after_failure", "after_end"),
    [("never", False, False), ("on_failure", True, False), ("always", True, True)],
)
def test_when(clock: VirtualClock, when: str, after_failure: bool, after_end: bool) -> None:
    for failed, expected in [(True, after_failure), (False, after_end)]:
        restarts = Restarts(Restart(when=when), clock)  # type: ignore[arg-type]
        assert (restarts.after(failed) is not None) is expected
        assert restarts.verdict == ("" if expected else f"restart is {when}")


@pytest.fixture
def graph() -> Graph:
    """``a → b → d → e`` and ``a → c → d``, written from its end; ``x`` is alone."""
    edges = ["d e", "c d", "b d", "a c", "a b"]
    return Graph.build(
        load_manifest(
            {
                "version": "v1",
                "nodes": [{"id": name, "node_type": "PassThrough"} for name in "xedcba"],
                "connections": [{"from": edge[0], "to": edge[-1]} for edge in edges],
            }
        )
    )


@pytest.mark.parametrize(
    ("nodes", "rest"),
    [("a", "cbde"), ("b", "de"), ("bc", "de"), ("c", "de"), ("ad", "cbe"), ("e", ""), ("x", "")],
)
def test_what_is_downstream(graph: Graph, nodes: str, rest: str) -> None:
    assert also_restarted(graph, nodes, "one_for_one") == ()
    assert also_restarted(graph, nodes, "rest_for_one") == tuple(rest)
