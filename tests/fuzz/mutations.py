"""Bytes in, slightly wrong bytes out."""

import random
from collections.abc import Callable, Sequence

_INTERESTING = (0, 1, 2, 0x7F, 0x80, 0xFE, 0xFF)
_LENGTHS = (1, 2, 4, 8)


def mutate(data: bytes, rng: random.Random, others: Sequence[bytes]) -> bytes:
    """One to four changes; `others` are valid inputs, whose parts may be mixed in."""
    changed = bytearray(data)
    for _ in range(1 + int(rng.random() * 4)):
        rng.choice(_CHANGES)(changed, rng, others)
    return bytes(changed)


def _at(data: bytearray, rng: random.Random) -> int:
    return int(rng.random() * len(data))


def _flip(data: bytearray, rng: random.Random, _: Sequence[bytes]) -> None:
    if data:
        data[_at(data, rng)] ^= 1 << int(rng.random() * 8)


def _poke(data: bytearray, rng: random.Random, _: Sequence[bytes]) -> None:
    if data:
        data[_at(data, rng)] = rng.choice(_INTERESTING)


def _poke_number(data: bytearray, rng: random.Random, _: Sequence[bytes]) -> None:
    """A whole field of zeros, ones, or next to the end of its range."""
    size = rng.choice(_LENGTHS)
    at = _at(data, rng)
    value = rng.choice((0, 1, (1 << 8 * size) - 1, 1 << (8 * size - 1)))
    data[at : at + size] = value.to_bytes(size, "big")[: len(data) - at]


def _insert(data: bytearray, rng: random.Random, _: Sequence[bytes]) -> None:
    at = _at(data, rng)
    data[at:at] = rng.randbytes(1 + int(rng.random() * 16))


def _delete(data: bytearray, rng: random.Random, _: Sequence[bytes]) -> None:
    at = _at(data, rng)
    del data[at : at + 1 + int(rng.random() * 16)]


def _cut(data: bytearray, rng: random.Random, _: Sequence[bytes]) -> None:
    del data[_at(data, rng) :]


def _repeat(data: bytearray, rng: random.Random, _: Sequence[bytes]) -> None:
    at = _at(data, rng)
    data[at:at] = data[at : at + int(rng.random() * 32)] * (1 + int(rng.random() * 8))


def _splice(data: bytearray, rng: random.Random, others: Sequence[bytes]) -> None:
    other = rng.choice(others)
    at = int(rng.random() * len(other)) if other else 0
    data[at:] = other[at:]


_CHANGES: tuple[Callable[[bytearray, random.Random, Sequence[bytes]], None], ...] = (
    _flip, _flip, _poke, _poke, _poke_number, _poke_number, _insert, _delete, _cut, _repeat, _splice,
)  # fmt: skip
