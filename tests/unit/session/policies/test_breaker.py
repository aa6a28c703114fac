"""The circuit breaker by itself: closed, open, half open, and never latched."""

from __future__ import annotations

from remotemedia.manifest import CircuitBreaker
from remotemedia.session.policies.breaker import Breaker
from remotemedia.testing import VirtualClock


def made(clock: VirtualClock, told: list[str], **settings: float) -> Breaker:
    return Breaker(CircuitBreaker(**settings), clock, told.append)  # type: ignore[arg-type]


def fail(breaker: Breaker, times: int) -> None:
    for _ in range(times):
        assert breaker.allows()
        breaker.failed()


def test_it_opens_after_failures_in_a_row_only() -> None:
    clock, told = VirtualClock(), list[str]()
    breaker = made(clock, told, failures=3, reset_ms=1000)
    fail(breaker, 2)
    breaker.succeeded()
    fail(breaker, 2)
    assert breaker.allows()
    assert told == []
    breaker.failed()
    assert not breaker.allows()
    assert breaker.state == "open"
    assert len(told) == 1
    assert "after 3 failures in a row" in told[0]


def test_one_probe_at_a_time_once_the_reset_time_has_passed() -> None:
    clock, told = VirtualClock(), list[str]()
    breaker = made(clock, told, failures=1, reset_ms=1000)
    fail(breaker, 1)
    clock.advance(999_999)
    assert not breaker.allows()
    clock.advance(1)
    assert breaker.allows()
    assert breaker.state == "half_open"
    assert not breaker.allows()  # the probe is still out
    breaker.failed()
    assert breaker.state == "open"
    clock.advance(999_999)  # a whole reset time again
    assert not breaker.allows()
    clock.advance(1)
    assert breaker.allows()
    breaker.succeeded()
    assert breaker.state == "closed"
    assert breaker.allows()
    assert breaker.allows()
    assert [line.split(":")[0] for line in told] == [
        "the circuit breaker opened after 1 failures in a row; one call is tried in 1000 ms",
        "the circuit breaker opened after 2 failures in a row; one call is tried in 1000 ms",
        "the circuit breaker closed",
    ]


def test_several_probes_must_succeed() -> None:
    clock, told = VirtualClock(), list[str]()
    breaker = made(clock, told, failures=1, reset_ms=10, probes=3)
    fail(breaker, 1)
    clock.advance(10_000)
    for _ in range(2):
        assert breaker.allows()
        breaker.succeeded()
        assert breaker.state == "half_open"
    assert breaker.allows()
    breaker.succeeded()
    assert breaker.state == "closed"


def test_a_probe_that_is_cut_off_makes_room_for_another() -> None:
    clock, told = VirtualClock(), list[str]()
    breaker = made(clock, told, failures=1, reset_ms=10)
    fail(breaker, 1)
    clock.advance(10_000)
    assert breaker.allows()
    breaker.given_up()
    assert breaker.allows()
