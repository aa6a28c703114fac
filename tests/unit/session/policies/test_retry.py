"""How long to wait before the next call."""

from __future__ import annotations

import pytest

from remotemedia.errors import DataError
from remotemedia.manifest import Retry
from remotemedia.session.policies.retry import Backoff


def delays(error: BaseException | None = None, **settings: object) -> list[int | None]:
    backoff = Backoff(Retry(**settings), "n")  # type: ignore[arg-type]
    count = settings.get("attempts", 3)
    assert isinstance(count, int)
    return [backoff.delay_us(n + 1, error or ValueError()) for n in range(count)]


def test_exponential() -> None:
    # The reference's default: 100, 200, 400 ms.
    assert delays(attempts=4) == [100_000, 200_000, 400_000, None]
    assert delays(attempts=5, delay_ms=10, factor=3, max_delay_ms=80) == [
        10_000,
        30_000,
        80_000,
        80_000,
        None,
    ]


def test_fixed() -> None:
    assert delays(attempts=3, backoff="fixed", delay_ms=7) == [7_000, 7_000, None]


def test_a_huge_exponent_stays_at_the_longest_wait() -> None:
    assert delays(attempts=1000, factor=100, delay_ms=1)[998] == 30_000_000


def test_jitter_is_within_its_part_and_the_same_in_every_run() -> None:
    settings = {"attempts": 200, "backoff": "fixed", "delay_ms": 100, "jitter": 0.25}
    first, second = delays(**settings), delays(**settings)
    assert first == second
    waits = [wait for wait in first if wait is not None]
    assert 75_000 <= min(waits) < 80_000
    assert 120_000 < max(waits) <= 125_000


@pytest.mark.parametrize(
    ("error", "errors", "again"),
    [
        (ConnectionResetError(), ("ConnectionError",), True),  # a base class
        (ConnectionResetError(), ("OSError", "KeyError"), True),
        (ValueError(), ("ConnectionError",), False),
        (DataError("no"), ("data",), True),  # the code of an error of ours
        (DataError("no"), ("wire",), False),
    ],
)
def test_kinds_that_are_worth_it(error: Exception, errors: tuple[str, ...], again: bool) -> None:
    assert (delays(error, attempts=2, errors=errors)[0] is not None) is again
