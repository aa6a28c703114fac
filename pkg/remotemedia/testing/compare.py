"""Compare: whether outputs are what was expected, within a tolerance; and if not, where."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from remotemedia.data import Audio, Data, Packet
from remotemedia.node import Emit
from remotemedia.testing.node_result import NodeResult
from remotemedia.testing.summary import summary
from remotemedia.testing.tolerance import Rule, Tolerances, find_tolerance, read_rules

Item = Data | Emit | Packet
Items = Item | Sequence[Item] | NodeResult
"""What can be compared."""

_PACKET_FIELDS = ("node", "port", "sequence", "sub_sequence", "generation", "timestamp_us")


class Difference(NamedTuple):
    """One field of one item that is not as expected.

    Attributes
    ----------
    item : int
        Which item.
    field : str
        Its name, as tolerances name it.
    place : str
        Where in the item, for people.
    actual, expected : str
        The values, for people.
    allowed : str
        The tolerance, for people; empty where there is none.
    largest : float
        Greatest difference in the field; 0 where that means nothing.
    largest_at : str
        Where that is.
    unlike, total : int
        How many of its numbers differ by more than is allowed.
    """

    item: int
    field: str
    place: str
    actual: str
    expected: str
    allowed: str = ""
    largest: float = 0.0
    largest_at: str = ""
    unlike: int = 1
    total: int = 1


def assert_close(
    actual: Items,
    expected: Items,
    *,
    tolerance: Tolerances | None = None,
    node: str | None = None,
    ignore: Collection[str] = (),
) -> None:
    """Check that outputs are what was expected: exactly, but for what a tolerance allows.

    Exactly means types, shapes, metadata and every bit of a number; one NaN is as good as another.

    Parameters
    ----------
    actual, expected : Data, Emit, Packet, a sequence of these, or NodeResult
        What came, and what should have. A `NodeResult` is compared as what the other one is: its
        data, its outputs or its packets.
    tolerance : float, Tolerance, mapping or path, optional
        For numbers: one for all, by field, by ``"node:field"``, or a TOML file with rows of
        ``node``, ``field`` and ``tolerance`` or ``snr_db``. A field is ``samples``, another field
        of a type, or the key in a `Json`; ``*`` stands for any characters. Whole numbers that are
        not samples, such as `pts_us`, have to be named without ``*``.
    node : str, optional
        The node's name in `tolerance`; by default that of the packet.
    ignore : collection of str
        Fields that are not compared, such as ``timestamp_us``; ``*`` as above.

    Raises
    ------
    AssertionError
        Names the first difference, item, field and sample, both values, and the greatest one.
    """
    __tracebackhide__ = True
    problem = difference(actual, expected, tolerance=tolerance, node=node, ignore=ignore)
    if problem:
        raise AssertionError(problem)


def difference(
    actual: Items,
    expected: Items,
    *,
    tolerance: Tolerances | None = None,
    node: str | None = None,
    ignore: Collection[str] = (),
) -> str:
    """What `assert_close` says; empty if there is nothing to say."""
    ours, theirs = _listed(actual, expected), _listed(expected, actual)
    comparison = _Comparison(read_rules(tolerance), node, tuple(ignore))
    found = comparison.differences(ours, theirs)
    first = next(found, None)
    problem = ""
    if first is not None:
        one = isinstance(actual, Data | Emit | Packet)
        where = "" if one else f"{_label(ours[first.item])} {first.item}: "
        problem = f"{where}{first.place} is {first.actual}, expected {first.expected}"
        problem += f" (allowed: {first.allowed})" if first.allowed else ""
        problem += _extent(first, found, one)
    if len(ours) != len(theirs):
        problem += f"\n{len(ours)} items, expected {len(theirs)}"
        longer, what = (ours, "too many") if len(ours) > len(theirs) else (theirs, "missing")
        number = min(len(ours), len(theirs))
        problem += f"; the first that is {what} is number {number}, {_shown(longer[number])}"
    return problem.strip()


def _extent(first: Difference, rest: Iterator[Difference], one: bool) -> str:
    """How far the field is off in all items together."""
    if not first.largest:
        return ""
    same = [first, *(other for other in rest if other.field == first.field)]
    worst = max(same, key=lambda other: other.largest)
    where = "" if one else f"item {worst.item}, "
    count, total = sum(each.unlike for each in same), sum(each.total for each in same)
    return (
        f"\nlargest difference of {first.field}: {worst.largest:g} at {where}{worst.largest_at}; "
        f"{count:,} of {total:,} values differ in {len(same)} item{'s' if len(same) > 1 else ''}"
    )


def _listed(items: Items, other: Items) -> Sequence[Item]:
    if isinstance(items, NodeResult):
        like = (
            other
            if isinstance(other, Data | Emit | Packet | NodeResult)
            else next(iter(other), None)
        )
        if isinstance(like, Data):
            return items.data
        return items.outputs if isinstance(like, Emit) else items.packets
    found = [items] if isinstance(items, Data | Emit | Packet) else list(items)
    for item in found:
        if not isinstance(item, Data | Emit | Packet):
            raise TypeError(f"Data, Emit and Packet can be compared, not {item!r:.100}")
    return found


def _label(item: Item) -> str:
    return "packet" if isinstance(item, Packet) else "output" if isinstance(item, Emit) else "item"


def _shown(item: Item) -> str:
    if isinstance(item, Packet):
        return f"{item.node}:{item.port} {summary(item.data)}"
    return f"{item.port} {summary(item.data)}" if isinstance(item, Emit) else summary(item)


class _Comparison:
    """One comparison; gives the differences in order."""

    def __init__(self, rules: tuple[Rule, ...], node: str | None, ignore: tuple[str, ...]) -> None:
        self.rules = rules
        self.ignore = ignore
        self.given_node = node
        self.node = node or ""
        self.item = 0

    def differences(self, actual: Sequence[Item], expected: Sequence[Item]) -> Iterator[Difference]:
        for self.item, (ours, theirs) in enumerate(zip(actual, expected, strict=False)):
            if isinstance(ours, Packet) and isinstance(theirs, Packet):
                self.node = self.given_node or theirs.node
                for name in _PACKET_FIELDS:
                    yield from self._value(name, name, getattr(ours, name), getattr(theirs, name))
                ours, theirs = ours.data, theirs.data
            elif isinstance(ours, Emit) and isinstance(theirs, Emit):
                yield from self._value("port", "port", ours.port, theirs.port)
                ours, theirs = ours.data, theirs.data
            if isinstance(ours, Data) and isinstance(theirs, Data):
                yield from self._data(ours, theirs)
            else:
                kinds = type(ours).__name__, type(theirs).__name__
                yield Difference(self.item, "type", "its type", *kinds)

    def _data(self, actual: Data, expected: Data) -> Iterator[Difference]:
        if type(actual) is not type(expected):
            yield Difference(self.item, "type", "its type", summary(actual), summary(expected))
            return
        for name in actual.__struct_fields__:
            ours, theirs = getattr(actual, name), getattr(expected, name)
            if isinstance(ours, np.ndarray) and isinstance(theirs, np.ndarray):
                yield from self._array(name, ours, theirs, isinstance(actual, Audio))
            else:
                yield from self._value(name, name, ours, theirs)

    def _ignored(self, field: str) -> bool:
        return any(fnmatchcase(field, pattern) for pattern in self.ignore)

    def _value(
        self, field: str, place: str, actual: object, expected: object
    ) -> Iterator[Difference]:
        """A plain or JSON-like value; `field` is the key that it is under."""
        if self._ignored(field):
            return
        lists = (list, tuple)  # the same in JSON
        if isinstance(actual, Mapping) and isinstance(expected, Mapping):
            for key, value in actual.items():
                if key not in expected and not self._ignored(str(key)):
                    where = f"{place}.{key}"
                    yield Difference(self.item, str(key), where, _brief(value), "no such key")
            for key, value in expected.items():
                if key in actual:
                    yield from self._value(str(key), f"{place}.{key}", actual[key], value)
                elif not self._ignored(str(key)):
                    yield Difference(
                        self.item, str(key), f"{place}.{key}", "missing", _brief(value)
                    )
        elif isinstance(actual, lists) and isinstance(expected, lists):
            for number, (ours, theirs) in enumerate(zip(actual, expected, strict=False)):
                yield from self._value(field, f"{place}[{number}]", ours, theirs)
            if len(actual) != len(expected):
                sizes = str(len(actual)), str(len(expected))
                yield Difference(self.item, field, f"the length of {place}", *sizes)
        elif type(actual) is not type(expected):
            yield Difference(self.item, field, place, _brief(actual), _brief(expected))
        elif isinstance(actual, float) and isinstance(expected, float):
            yield from self._number(field, place, actual, expected, by_name=False)
        elif isinstance(actual, int) and isinstance(expected, int):
            yield from self._number(field, place, actual, expected, by_name=True)
        elif actual != expected:
            at = _first_unlike(actual, expected)
            yield Difference(self.item, field, f"{place}{at}", _brief(actual), _brief(expected))

    def _number(
        self, field: str, place: str, actual: float, expected: float, *, by_name: bool
    ) -> Iterator[Difference]:
        if repr(actual) == repr(expected):  # minus zero is another number, one NaN is not
            return
        tolerance = find_tolerance(self.rules, self.node, field, by_name=by_name)
        off = abs(actual - expected)
        if tolerance.absolute and off <= tolerance.absolute:
            return
        yield Difference(
            self.item,
            field,
            place,
            repr(actual),
            repr(expected),
            "" if tolerance.absolute == 0 else str(tolerance),
            math.inf if math.isnan(off) else float(off),
            place,
        )

    def _array(
        self, field: str, actual: NDArray[np.generic], expected: NDArray[np.generic], audio: bool
    ) -> Iterator[Difference]:
        if self._ignored(field):
            return
        if (actual.dtype, actual.shape) != (expected.dtype, expected.shape):
            ours, theirs = (f"{each.dtype}{list(each.shape)}" for each in (actual, expected))
            yield Difference(self.item, field, field, ours, theirs)
            return
        if actual.tobytes() == expected.tobytes():
            return
        wrong = _unlike(actual, expected)
        if not wrong.any():
            return
        tolerance = find_tolerance(self.rules, self.node, field, by_name=False)
        reference = expected.astype(np.float64)
        with np.errstate(invalid="ignore", over="ignore"):
            off = np.where(wrong, np.abs(actual.astype(np.float64) - reference), 0.0)
        off[np.isnan(off)] = np.inf
        if tolerance.absolute:
            wrong &= off > tolerance.absolute
        snr_db = _snr_db(reference, off)
        if not wrong.any() or (tolerance.snr_db is not None and snr_db >= tolerance.snr_db):
            return
        first, worst = int(np.argmax(wrong)), int(np.argmax(off))
        found = "" if tolerance.snr_db is None else f"; the SNR is {snr_db:.2f} dB"
        yield Difference(
            self.item,
            field,
            f"{field} at {_at(first, actual.shape, audio)}",
            str(actual.flat[first]),
            str(expected.flat[first]),
            "" if str(tolerance) == "none" else f"{tolerance}{found}",
            float(off.flat[worst]),
            _at(worst, actual.shape, audio),
            int(wrong.sum()),
            wrong.size,
        )


def _unlike(actual: NDArray[np.generic], expected: NDArray[np.generic]) -> NDArray[np.bool_]:
    """Where the bits differ, and not because both are NaN."""
    if actual.dtype.kind != "f":
        return np.asarray(actual != expected)
    bits = np.dtype(f"u{actual.itemsize}")
    unlike = actual.view(bits) != expected.view(bits)
    return np.asarray(unlike & ~(np.isnan(actual) & np.isnan(expected)))


def _snr_db(expected: NDArray[np.float64], off: NDArray[np.float64]) -> float:
    power, noise = float(np.square(expected).sum()), float(np.square(off).sum())
    if not math.isfinite(power) or not math.isfinite(noise) or not power:
        return -math.inf
    return 10 * math.log10(power / noise) if noise else math.inf


def _at(position: int, shape: tuple[int, ...], audio: bool) -> str:
    index = [int(number) for number in np.unravel_index(position, shape)]
    return f"channel {index[0]}, frame {index[1]}" if audio else str(index)


def _first_unlike(actual: object, expected: object) -> str:
    """Where two texts, or two values of bytes, begin to differ."""
    if not isinstance(actual, (str, bytes)) or not isinstance(expected, (str, bytes)):
        return ""
    pairs = enumerate(zip(actual, expected, strict=False))
    shorter = min(len(actual), len(expected))
    return f" from {next((n for n, (a, b) in pairs if a != b), shorter)} on"


def _brief(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 200 else f"{text[:200]}…"
