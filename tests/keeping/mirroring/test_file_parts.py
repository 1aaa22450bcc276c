import zlib

import hypothesis.strategies as st
import pytest
from hypothesis import given

from poptune._keeping.mirroring.file_parts import Part, Sized, assembled, matching, part_named, to_merge

CONTENT = b"0123456789" * 3


def part(first, last, content=None, session=1):
    content = CONTENT[first - 1 : last] if content is None else content
    return Part(first=first, last=last, session=session, crc32=zlib.crc32(content))


def content_of(one):
    return CONTENT[one.first - 1 : one.last]


def test_a_name_is_read_as_it_was_made():
    assert part_named(part(1, 12).name) == part(1, 12)


@pytest.mark.parametrize(
    "name", ["", "x", "1-2-3-0ae0daaf", f"{2:012}-{1:012}-0001-0ae0daaf", f"{0:012}-{1:012}-0001-0ae0daaf"]
)
def test_another_name_is_no_parts(name):
    assert part_named(name) is None


@given(cuts=st.sets(st.integers(1, 29)), torn=st.integers(0, 40), order=st.randoms())
def test_the_longest_prefix_that_is_whole_is_found_in_any_order(cuts, torn, order):
    ends = [*sorted(cuts), 30]
    parts = [part(first + 1, last) for first, last in zip([0, *ends], ends, strict=False)]
    there = {one: content_of(one) for one in parts}
    if torn < len(parts):
        there[parts[torn]] = there[parts[torn]][:-1]
    order.shuffle(shuffled := list(there))
    found = b"".join(content for _, content in assembled(shuffled, there.__getitem__))
    assert found == b"".join(map(content_of, parts[:torn]))
    assert matching(shuffled, lambda first, last: zlib.crc32(CONTENT[first - 1 : last])) == parts


def test_of_parts_that_hold_the_same_the_longest_that_is_whole_counts():
    parts = [part(1, 5), part(6, 10), part(1, 10), part(11, 12), part(1, 20, b"torn")]
    assert [one for one, _ in assembled(parts, content_of)] == [part(1, 10), part(11, 12)]


def test_a_part_that_has_gone_meanwhile_is_no_error():
    parts = [part(1, 10), part(1, 5)]
    found = assembled(parts, lambda one: None if one.last == 10 else content_of(one))
    assert [one for one, _ in found] == [part(1, 5)]


def test_what_differs_from_what_is_here_does_not_match():
    parts = [part(1, 5), part(6, 10, b"other")]
    assert matching(parts, lambda first, last: zlib.crc32(CONTENT[first - 1 : last])) == [part(1, 5)]


def test_many_parts_of_one_level_are_merged_but_not_into_one_that_is_too_large():
    many = [Sized(part(n, n), 10) for n in range(1, 17)]
    assert to_merge(many) == many
    assert not to_merge(many[1:])
    assert not to_merge([*many[1:], Sized(part(17, 17), 10, level=1)])
    assert not to_merge([Sized(one.part, 1 << 23) for one in many])


def test_what_an_overtaken_session_writes_too_late_does_not_count():
    late, other = part(6, 20, b"late"), part(6, 8, b"other", session=2)
    contents = {part(1, 5): CONTENT[:5], late: b"late", other: b"other"}
    assert [one for one, _ in assembled(contents, contents.__getitem__)] == [part(1, 5), other]
