"""Compressed bodies, piece by piece: never more in memory than was asked for, and no end without its trailer."""

import zlib

__all__ = ["ENCODINGS", "Inflater"]

ENCODINGS = frozenset({"gzip", "x-gzip", "deflate"})
"""The content encodings that it reads."""

_GZIP_OR_ZLIB = zlib.MAX_WBITS | 32


class Inflater:
    """Decompresses gzip and zlib data, of several members too."""

    def __init__(self) -> None:
        self._member = zlib.decompressobj(_GZIP_OR_ZLIB)
        self._waiting = b""

    def feed(self, data: bytes) -> None:
        """Take compressed bytes.

        Args:
            data: The next ones.
        """
        self._waiting += data

    def take(self, size: int) -> bytes:
        """Return decompressed bytes; none when more must be fed first.

        Args:
            size: How many at the most: a small body can inflate to a huge one.

        Raises:
            zlib.error: The data is damaged.
        """
        while self._waiting:
            if self._member.eof:
                self._member = zlib.decompressobj(_GZIP_OR_ZLIB)
            piece = self._member.decompress(self._waiting, size)
            self._waiting = self._member.unused_data if self._member.eof else self._member.unconsumed_tail
            if piece:
                return piece
        return b""

    def finished(self) -> bool:
        """Return whether all that was fed ends with a whole member."""
        return self._member.eof and not self._waiting
