"""The algebra of constraints, as properties and by hand."""

import itertools
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remotemedia.caps import Exact, OneOf, Range, Shape
from remotemedia.caps.constraint import intersect, is_subset, one_of

# Few values, so that they meet often; halves, to stand between integers.
NUMBERS = st.integers(-4, 4) | st.sampled_from([-0.5, 0.5, 1.5, 2.5])
WORDS = st.sampled_from(["a", "b", "c"])
RANGES = (
    st.tuples(NUMBERS, NUMBERS)
    .filter(lambda ends: ends[0] != ends[1])
    .map(lambda ends: Range(min(ends), max(ends)))
)
CONSTRAINTS = st.one_of(
    (NUMBERS | WORDS).map(Exact),
    RANGES,
    st.lists(NUMBERS | WORDS, min_size=1, max_size=4).map(lambda values: one_of(tuple(values))),
)
PROBES = [-5, -4, -0.5, 0, 0.25, 0.5, 1, 1.5, 2, 2.5, 3, 4, 4.5, "a", "b", "c", "d"]


def accepted(constraint):
    return [value for value in PROBES if constraint is not None and constraint.accepts(value)]


@given(CONSTRAINTS, CONSTRAINTS)
def test_the_intersection_accepts_what_both_accept(a, b):
    both = intersect(a, b)
    assert accepted(both) == [value for value in PROBES if a.accepts(value) and b.accepts(value)]


@given(CONSTRAINTS, CONSTRAINTS)
def test_intersect_is_commutative_up_to_preference(a, b):
    ab, ba = intersect(a, b), intersect(b, a)
    if isinstance(ab, OneOf):
        assert isinstance(ba, OneOf)
        assert sorted(map(repr, map(str, ab.values))) == sorted(map(repr, map(str, ba.values)))
    else:
        assert ab == ba


@given(CONSTRAINTS, CONSTRAINTS, CONSTRAINTS)
def test_intersect_is_associative(a, b, c):
    def and_then(first, second):
        return None if first is None or second is None else intersect(first, second)

    assert and_then(intersect(a, b), c) == and_then(a, intersect(b, c))


@given(CONSTRAINTS)
def test_intersect_with_itself_changes_nothing(a):
    assert intersect(a, a) == a
    assert is_subset(a, a)


@given(CONSTRAINTS, CONSTRAINTS)
def test_a_subset_is_accepted_whole(a, b):
    if is_subset(a, b):
        assert set(accepted(a)) <= set(accepted(b))
        assert intersect(a, b) == a
    elif not isinstance(a, Range):  # a range holds more numbers than the probes
        assert not all(
            b.accepts(value) for value in getattr(a, "values", (getattr(a, "value", 0),))
        )


@given(CONSTRAINTS, CONSTRAINTS)
def test_the_intersection_is_a_subset_of_both(a, b):
    both = intersect(a, b)
    if both is not None:
        assert is_subset(both, a)
        assert is_subset(both, b)


def test_the_first_decides_the_order():
    assert intersect(OneOf((3, 1, 2)), OneOf((1, 2, 3))) == OneOf((3, 1, 2))
    assert intersect(OneOf((1, 2, 3)), OneOf((3, 2))) == OneOf((2, 3))
    assert intersect(Range(0, 9), OneOf((8, 4, 20))) == OneOf((8, 4))


def test_what_is_left_is_put_as_simply_as_can_be():
    assert intersect(OneOf((1, 2)), OneOf((2, 3))) == Exact(2)
    assert intersect(Range(1, 2), Range(2, 3)) == Exact(2)
    assert intersect(Range(1, 5), Range(2, 9)) == Range(2, 5)
    assert intersect(Range(1, 2), Range(3, 4)) is None
    assert one_of(()) is None
    assert one_of((1, 1)) == Exact(1)


def test_ends_of_a_range_are_included():
    assert [n for n in (0, 1, 2, 3) if Range(1, 2).accepts(n)] == [1, 2]
    assert not Range(1, 2).accepts("1")
    assert not Range(1, 2).accepts(None)
    assert not Range(1, 2).accepts(float("nan"))


def test_no_range_fits_into_single_values():
    assert not is_subset(Range(1, 2), OneOf((1, 2)))
    assert not is_subset(Range(1, 2), Exact(1))


# -- shapes of tensors ---------------------------------------------------------------------------

AXES = st.none() | st.integers(1, 3) | st.sampled_from(["m", "n"])
SHAPES = st.lists(AXES, min_size=1, max_size=3).map(lambda axes: Shape(tuple(axes)))
SIZES = [tuple(sizes) for n in (1, 2, 3) for sizes in itertools.product((1, 2, 3, 4), repeat=n)]


def allowed(shape):
    """The sizes that a shape allows, by trying all meanings of its names."""
    found = set()
    names = sorted({axis for axis in shape.axes if isinstance(axis, str)})
    for sizes in SIZES:
        if len(sizes) != len(shape.axes):
            continue
        for values in itertools.product((1, 2, 3, 4), repeat=len(names)):
            meant = dict(zip(names, values, strict=True))
            if all(
                axis is None or meant.get(axis, axis) == size
                for axis, size in zip(shape.axes, sizes, strict=True)
            ):
                found.add(sizes)
    return found


@given(SHAPES)
def test_a_shape_accepts_what_its_names_allow(shape):
    assert {sizes for sizes in SIZES if shape.accepts(sizes)} == allowed(shape)
    assert not shape.accepts(3)


@given(SHAPES, SHAPES)
def test_shapes_in_common(a, b):
    both = intersect(a, b)
    expected = allowed(a) & allowed(b)
    assert (allowed(both) if both is not None else set()) == expected


@given(SHAPES, SHAPES)
def test_a_shape_within_another(a, b):
    assert is_subset(a, b) == (allowed(a) <= allowed(b))


def test_a_shape_has_nothing_in_common_with_numbers():
    assert intersect(Shape((1,)), Exact(1)) is None
    assert intersect(Range(0, 2), Shape((1,))) is None
    assert not is_subset(Shape((1,)), Range(0, 2))


# -- MIME types ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("a", "b", "both"),
    [
        (Exact("audio/*"), Exact("audio/wav"), Exact("audio/wav")),
        (Exact("audio/wav"), Exact("audio/*"), Exact("audio/wav")),
        (Exact("*/*"), Exact("audio/*"), Exact("audio/*")),
        (Exact("audio/*"), Exact("video/mp4"), None),
        (Exact("audio/*"), Exact("audiobook/x"), None),
        (
            OneOf(("video/mp4", "audio/*")),
            OneOf(("audio/ogg", "audio/wav", "text/plain")),
            OneOf(("audio/ogg", "audio/wav")),
        ),
        (Exact("audio/*"), Exact("audio/*"), Exact("audio/*")),
    ],
)
def test_wildcards(a, b, both):
    assert intersect(a, b) == both
    if both is not None:
        assert is_subset(both, a)
        assert is_subset(both, b)


def test_what_falls_under_a_wildcard():
    assert Exact("audio/*").accepts("audio/wav")
    assert OneOf(("text/plain", "audio/*")).accepts("audio/x-wav")
    assert Exact("*/*").accepts("a/b")
    assert not Exact("*/*").accepts("wav")
    assert not Exact("audio/wav").accepts("audio/*")
    assert not is_subset(Exact("audio/*"), Exact("audio/wav"))


def test_frame_rates_are_exact():
    ntsc = Exact(Fraction(30000, 1001))
    assert Range(24, 30).accepts(Fraction(30000, 1001))
    assert intersect(Range(24, 30), ntsc) == ntsc
    assert intersect(ntsc, Exact(29.97)) is None
