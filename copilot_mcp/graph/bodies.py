"""Bodies as they come off the wire: unpacked in small pieces and never beyond a limit.

httpx unpacks whatever arrives in one go, so that 64 kB of a bomb are 64 MB at once. Here no piece is larger than the
limit of a piece, and who reads can stop after any of them.
"""

import zlib
from collections.abc import AsyncGenerator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import httpx

PIECE_BYTES = 64 * 1024
ACCEPTED_ENCODINGS = "gzip"
"""Not `deflate`: servers disagree on whether it has a zlib header. What comes with one is read all the same."""

_RATIO_CAP = 100
_RATIO_COUNTS_FROM_BYTES = 1024 * 1024
_PLAIN = ("", "identity")
_ZIPPED = ("gzip", "x-gzip", "deflate")


async def unpacked(response: "httpx.Response") -> AsyncGenerator[bytes, None]:
    """The body, unpacked, in pieces as they come.

    Raises:
        httpx.HTTPError: The connection broke, or the body cannot be unpacked.
    """
    import httpx

    encoding = response.headers.get("content-encoding", "").strip().casefold()
    if response.is_stream_consumed:  # a transport that had read and unpacked the body before
        async for chunk in response.aiter_bytes():
            yield chunk
    elif encoding in _PLAIN:
        async for chunk in response.aiter_raw():
            yield chunk
    elif encoding in _ZIPPED:
        inflater = _Inflater()
        async for chunk in response.aiter_raw():
            while chunk:
                try:
                    piece, chunk = inflater.next(chunk)
                except zlib.error:
                    raise httpx.DecodingError("the body is not what its encoding says") from None
                if piece:
                    yield piece
    else:
        raise httpx.DecodingError("the body has an encoding that was not asked for")


async def read_whole(response: "httpx.Response", cap_bytes: int) -> bytes | None:
    """The whole body, None when it passes the cap or is packed more than a hundred times over.

    Raises:
        httpx.HTTPError: The connection broke, or the body cannot be unpacked.
    """
    content = bytearray()
    pieces = unpacked(response)
    try:
        async for piece in pieces:
            content += piece
            packed = max(1, response.num_bytes_downloaded)
            bomb = len(content) > max(_RATIO_COUNTS_FROM_BYTES, _RATIO_CAP * packed) and packed < len(content)
            if len(content) > cap_bytes or bomb:
                return None
    finally:
        await pieces.aclose()
    return bytes(content)


class _Inflater:
    """gzip or zlib, also several gzip members in a row, at most one piece at a time."""

    def __init__(self) -> None:
        self._member = zlib.decompressobj(wbits=zlib.MAX_WBITS | 32)

    def next(self, packed: bytes) -> tuple[bytes, bytes]:
        """The next piece, and what is still packed."""
        if self._member.eof:
            self._member = zlib.decompressobj(wbits=zlib.MAX_WBITS | 32)
        piece = self._member.decompress(packed, PIECE_BYTES)
        return piece, self._member.unconsumed_tail or self._member.unused_data
