"""Bodies: a block that repeats is the same as all its bytes."""

import gzip

from hypothesis import given
from hypothesis import strategies as st

from khoros_analytics.sandbox._data.body import Body

pieces = st.binary(max_size=12)
bodies = st.builds(Body, pieces, st.binary(min_size=1, max_size=12), st.integers(0, 9), pieces)


def whole(body):
    return body.head + body.unit * body.count + body.tail


@given(bodies)
def test_length_is_known_without_the_content(body):
    """The length that is announced is the length of the content."""
    assert body.length == len(body.content()) == len(whole(body))


@given(bodies, st.integers(0, 140), st.integers(0, 140))
def test_any_part_is_the_same_as_a_slice(body, start, stop):
    """Reading from any byte to any byte gives exactly that slice, in pieces that are never empty."""
    chunks = list(body.chunks(start, stop))

    assert b"".join(chunks) == whole(body)[start:stop]
    assert all(chunks)


@given(bodies)
def test_gzip_is_one_member_with_the_same_content(body):
    """A repeating gzip body decompresses to the content, its trailer's checksum included."""
    packed = body.gzipped()

    assert gzip.decompress(packed.content()) == body.content()
    assert packed.length == len(packed.content())


def test_whole_units_are_not_copied():
    """A unit is handed out as it is: this is what makes gigabytes cheap."""
    body = Body(b"head", b"unit" * 100, 3, b"tail")

    assert [chunk is body.unit for chunk in body.chunks()] == [False, True, True, True, False]


def test_etag_names_the_content():
    """Equal content in equal pieces has the same tag, another count or byte another one."""
    body = Body(b"a", b"b", 2, b"c")

    assert body.etag == Body(b"a", b"b", 2, b"c").etag
    assert len({body.etag, Body(b"a", b"b", 3, b"c").etag, Body(b"x", b"b", 2, b"c").etag, Body().etag}) == 4
