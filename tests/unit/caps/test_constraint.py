"""The algebra of constraints, as properties and by hand."""

from hypothesis import given
from hypothesis import strategies as st

from remotemedia.caps import Exact, OneOf, Range
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
