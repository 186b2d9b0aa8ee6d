"""Prints what named streams draw first, the reference of the test in crates/training/src/seeds.rs.

ChaCha8 keyed with the SHA-256 of the seed (64 bits, little endian) and the stream's name; the number of the stream,
the epoch in its upper half and the index in its lower one, stands in the last two words. Needs no packages.
"""

import hashlib
import struct

SEED = 1
# Name, epoch, index.
STREAMS = [
    ("split", 0, 0),
    ("split", 0, 1),
    ("label-noise", 0, 0),
    ("weights/hidden.0.weight", 0, 0),
    ("order", 1, 0),
    ("augmentation", 1, 3),
    ("augmentation", 0, 3),
    ("labels/mixup", 1, 0),
    ("device", 0, 7),
    ("monte-carlo-dropout", 0, 0),
    ("replicate-2/order", 1, 0),
]


def block(key: bytes, stream: int) -> list[int]:
    """The first 16 words that ChaCha8 gives."""
    constants = [0x61707865, 0x3320646E, 0x79622D32, 0x6B206574]
    start = constants + [*struct.unpack("<8I", key), 0, 0, stream & 0xFFFFFFFF, stream >> 32]
    words = start[:]

    def add_and_turn(a: int, b: int, d: int, bits: int) -> None:
        words[a] = (words[a] + words[b]) & 0xFFFFFFFF
        mixed = words[d] ^ words[a]
        words[d] = (mixed << bits | mixed >> (32 - bits)) & 0xFFFFFFFF

    def quarter_round(a: int, b: int, c: int, d: int) -> None:
        add_and_turn(a, b, d, 16)
        add_and_turn(c, d, b, 12)
        add_and_turn(a, b, d, 8)
        add_and_turn(c, d, b, 7)

    for _ in range(4):
        for column in range(4):
            quarter_round(*(column + 4 * row for row in range(4)))
        for diagonal in range(4):
            quarter_round(*((diagonal + row) % 4 + 4 * row for row in range(4)))
    return [(word + first) & 0xFFFFFFFF for word, first in zip(words, start)]


def first(name: str, epoch: int, index: int) -> int:
    key = hashlib.sha256(struct.pack("<Q", SEED) + name.encode()).digest()
    low, high = block(key, epoch << 32 | index)[:2]
    return high << 32 | low


if __name__ == "__main__":
    for name, epoch, index in STREAMS:
        print(f"{name} at ({epoch}, {index}): {first(name, epoch, index):_}")
