"""Bodies off the wire: unpacked piece by piece, and never beyond a limit."""

import gzip
import zlib
from collections.abc import AsyncIterator, Iterable

import httpx
import pytest

from copilot_mcp.graph.bodies import ACCEPTED_ENCODINGS, PIECE_BYTES, read_whole, unpacked

pytestmark = pytest.mark.anyio

TEXT = b'{"retrievalHits": []}'
MIB = 1024 * 1024


class Chunks(httpx.AsyncByteStream):
    """A body in pieces that tells how many were taken."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks = chunks
        self.taken = 0

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for chunk in self._chunks:
            self.taken += 1
            yield chunk


def response(chunks: Iterable[bytes], encoding: str = "") -> tuple[httpx.Response, Chunks]:
    stream = Chunks(chunks)
    headers = {"Content-Encoding": encoding} if encoding else {}
    return httpx.Response(200, headers=headers, stream=stream), stream


@pytest.mark.parametrize("size", [1, 7, 1000])
@pytest.mark.parametrize(
    ("encoding", "packed"),
    [
        ("", TEXT),
        ("identity", TEXT),
        ("gzip", gzip.compress(TEXT)),
        ("X-GZIP", gzip.compress(TEXT)),
        ("deflate", zlib.compress(TEXT)),
        ("gzip", gzip.compress(TEXT[:9]) + gzip.compress(TEXT[9:])),
    ],
    ids=["none", "identity", "gzip", "x-gzip", "deflate", "two members"],
)
async def test_every_known_encoding_is_unpacked(encoding: str, packed: bytes, size: int) -> None:
    chunks = [packed[start : start + size] for start in range(0, len(packed), size)]
    assert await read_whole(response(chunks, encoding)[0], MIB) == TEXT


def test_only_encodings_of_one_meaning_are_asked_for() -> None:
    assert ACCEPTED_ENCODINGS == "gzip"


async def test_no_piece_is_larger_than_its_limit() -> None:
    bomb = gzip.compress(b"a" * 3 * MIB)
    pieces = [piece async for piece in unpacked(response([bomb], "gzip")[0])]
    assert max(map(len, pieces)) == PIECE_BYTES
    assert sum(map(len, pieces)) == 3 * MIB


@pytest.mark.parametrize(("encoding", "packed"), [("gzip", b"not gzip at all"), ("br", TEXT), ("gzip, gzip", TEXT)])
async def test_a_body_that_cannot_be_unpacked_is_a_fault_of_the_connection(encoding: str, packed: bytes) -> None:
    with pytest.raises(httpx.DecodingError):
        await read_whole(response([packed], encoding)[0], MIB)


async def test_reading_stops_at_the_cap_and_takes_no_more() -> None:
    answer, stream = response(b"x" * 1000 for _ in range(100))
    assert await read_whole(answer, 4_500) is None
    assert stream.taken == 5
    assert await read_whole(response([b"x" * 4_500])[0], 4_500) == b"x" * 4_500


async def test_a_bomb_is_given_up_long_before_the_cap() -> None:
    answer, stream = response([gzip.compress(b"a" * 50 * MIB)] * 3, "gzip")
    assert await read_whole(answer, 100 * MIB) is None
    assert stream.taken == 1


async def test_what_is_large_but_not_packed_is_no_bomb() -> None:
    assert await read_whole(response([b"a" * 3 * MIB])[0], 4 * MIB) == b"a" * 3 * MIB


async def test_a_body_that_was_read_before_is_read_again() -> None:
    answer = httpx.Response(200, headers={"Content-Encoding": "gzip"}, content=gzip.compress(TEXT))
    assert await read_whole(answer, MIB) == TEXT
