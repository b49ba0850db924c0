"""Which pictures are the same: by the bytes of the file, and by what the picture looks like."""

import hashlib
from dataclasses import dataclass

import numpy as np
from PIL import Image

__all__ = ["NEAR", "TINT", "Fingerprint", "Match", "PictureIndex", "digest", "signature"]

NEAR = 36
"""Bits of 256 in which two copies of one picture differ at most."""

TINT = 5.0
"""Lab units (mean distance) by which the chroma of two copies differs at most, over 4x4 areas."""

_SIDE = 12
_WORDS = 4


def digest(encoded: bytes) -> str:
    """What identifies the bytes of a file: BLAKE2b, 128 bits, in hexadecimal."""
    return hashlib.blake2b(encoded, digest_size=16).hexdigest()


@dataclass(frozen=True)
class Fingerprint:
    """What a picture looks like, in 64 bytes.

    It survives resizing, recompression, and changes of brightness and contrast; not mirroring,
    rotation, or a cut of more than a few percent.

    Attributes:
        bits: (4,) uint64: whether lightness rises, to the right and downward, in 12x12 area
            averages (a "dHash"; the last 8 of 264 steps are left out).
        tint: (32,) int8: a and b, Lab units, averaged over 4x4 areas.
    """

    bits: np.ndarray
    tint: np.ndarray

    def distance(self, other: "Fingerprint") -> int:
        """In how many bits two pictures differ, 0..256."""
        return int(np.bitwise_count(self.bits ^ other.bits).sum())

    def to_hex(self) -> str:
        """The fingerprint as 128 hexadecimal digits."""
        return self.bits.astype(">u8").tobytes().hex() + self.tint.tobytes().hex()

    @classmethod
    def from_hex(cls, text: str) -> "Fingerprint":
        data = bytes.fromhex(text)
        bits = np.frombuffer(data[:32], ">u8").astype(np.uint64)
        return cls(bits, np.frombuffer(data[32:], np.int8))


def signature(lab: np.ndarray) -> Fingerprint:
    """The signature of a picture: (H, W, 3), L, a, b."""
    small = _averages(lab[..., 0], _SIDE)
    rises = np.concatenate([(np.diff(small, axis=axis) > 0).ravel() for axis in (1, 0)])
    bits = np.packbits(rises[: 64 * _WORDS]).view(">u8").astype(np.uint64)
    tint = np.stack([_averages(lab[..., band], 4) for band in (1, 2)], -1)
    return Fingerprint(bits, tint.round().clip(-128, 127).astype(np.int8).ravel())


def _averages(band: np.ndarray, side: int) -> np.ndarray:
    image = Image.fromarray(np.ascontiguousarray(band, np.float32))
    return np.asarray(image.resize((side, side), Image.Resampling.BOX))


@dataclass(frozen=True)
class Match:
    """The picture that another one equals; `bits` is None where the bytes are the same."""

    name: str
    bits: int | None = None


class PictureIndex:
    """Pictures that are known, to be asked whether one of them is like a new one.

    The search looks at every picture, at its mean color first, which leaves few to look at whole;
    docs/training.md has its cost.
    """

    def __init__(self) -> None:
        self.names: list[str] = []
        self._by_digest: dict[bytes, int] = {}
        self._bits = np.empty((_WORDS, 1024), np.uint64)  # word by word, each contiguous
        self._tints = np.empty((1024, 32), np.int8)
        self._sums = np.empty((2, 1024), np.int16)  # of a and of b over the 16 areas

    def __len__(self) -> int:
        return len(self.names)

    def add(self, name: str, digest: str, signature: Fingerprint) -> None:
        """Remember one more picture, for `find`."""
        count = len(self.names)
        if count == len(self._tints):
            self._bits = np.concatenate([self._bits, np.empty_like(self._bits)], 1)
            self._tints = np.concatenate([self._tints, np.empty_like(self._tints)])
            self._sums = np.concatenate([self._sums, np.empty_like(self._sums)], 1)
        self._bits[:, count] = signature.bits
        self._tints[count] = signature.tint
        self._sums[:, count] = _sums(signature.tint)
        self._by_digest.setdefault(bytes.fromhex(digest), count)
        self.names.append(name)

    def find(self, digest: str, signature: Fingerprint) -> Match | None:
        """The known picture that this one is a copy of; of several, the nearest, then the first."""
        same = self._by_digest.get(bytes.fromhex(digest))
        if same is not None:
            return Match(self.names[same])
        words, sums = self._bits[:, : len(self.names)], self._sums[:, : len(self.names)]
        # The means of two copies are no further apart than their areas are on average.
        a, b = _sums(signature.tint)
        near = np.int16(16 * TINT)
        at = np.flatnonzero(np.abs(sums[0] - a) <= near)
        at = at[np.abs(sums[1][at] - b) <= near]
        bits = np.zeros(len(at), np.uint16)
        for word, own in zip(words, signature.bits, strict=True):  # most differ in the first two
            bits += np.bitwise_count(word[at] ^ own)
            at, bits = at[bits <= NEAR], bits[bits <= NEAR]
        apart = (self._tints[at].astype(np.float64) - signature.tint).reshape(-1, 16, 2)
        alike = np.hypot(apart[..., 0], apart[..., 1]).mean(1) <= TINT
        at, bits = at[alike], bits[alike]
        if not len(at):
            return None
        best = int(bits.argmin())
        return Match(self.names[at[best]], int(bits[best]))


def _sums(tint: np.ndarray) -> np.ndarray:
    return tint.reshape(16, 2).sum(0, dtype=np.int16)
