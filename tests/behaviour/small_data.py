"""Data sets in the published formats, drawn by formula, with so few test images that a run takes a moment."""

import hashlib
import struct

TRAINING, TEST = 1250, 30
# CIFAR-10's files have a fixed size.
CIFAR_RECORDS, CIFAR_BYTES = 10_000, 1 + 3 * 32 * 32


def draw_mnist(folder):
    """Files in MNIST's format: each class has a row of its own, not alike in all images and not symmetric.

    Every fifth label is that of another class, so that networks that learn them by heart do worse on the rest.
    """
    folder.mkdir(parents=True)
    for prefix, images in (("train", TRAINING), ("t10k", TEST)):
        pixels = bytearray(i * 7919 % 61 for i in range(images * 784))
        for image in range(images):
            start = image * 784 + 28 * (2 * (image % 10) + 3)
            pixels[start + 5 : start + 28] = bytes(200 + i % 41 for i in range(start + 5, start + 28))
        labels = bytes((image + 3 * (image * 7919 % 61 < 12)) % 10 for image in range(images))
        (folder / f"{prefix}-images-idx3-ubyte").write_bytes(idx((images, 28, 28), bytes(pixels)))
        (folder / f"{prefix}-labels-idx1-ubyte").write_bytes(idx((images,), labels))


def idx(dimensions, content):
    """An IDX file of unsigned bytes."""
    header = struct.pack(">I", 0x0800 + len(dimensions))
    return header + b"".join(struct.pack(">I", size) for size in dimensions) + content


def draw_cifar10(folder):
    """Files in CIFAR-10's format, 184 MB: noise with labels."""
    folder.mkdir(parents=True)
    for name in [f"data_batch_{number}" for number in range(1, 6)] + ["test_batch"]:
        # The same bytes for every version of Python, and quickly.
        content = bytearray(hashlib.shake_128(name.encode()).digest(CIFAR_RECORDS * CIFAR_BYTES))
        content[::CIFAR_BYTES] = bytes(record % 10 for record in range(CIFAR_RECORDS))
        (folder / f"{name}.bin").write_bytes(content)
