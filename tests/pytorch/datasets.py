"""Test images as their publishers' files hold them, compressed or not."""

import gzip
from pathlib import Path

import numpy as np

FOLDERS = {"mnist": "mnist", "fashion-mnist": "fashion-mnist", "cifar10": "cifar-10"}


def load_test(name: str, root: Path) -> tuple[np.ndarray, np.ndarray]:
    """Pixels `[images, channels, height, width]`, bytes, and labels `[images]`.

    `root`: a data folder, or the folder of this one data set.
    """
    folder = root / FOLDERS[name]
    if not folder.is_dir():
        folder = root
    if name == "cifar10":
        records = np.frombuffer(read(folder / "test_batch.bin"), np.uint8).reshape(-1, 3073)
        return records[:, 1:].reshape(-1, 3, 32, 32), records[:, 0]
    # IDX: headers of 16 and 8 bytes.
    pixels = np.frombuffer(read(folder / "t10k-images-idx3-ubyte"), np.uint8, offset=16)
    labels = np.frombuffer(read(folder / "t10k-labels-idx1-ubyte"), np.uint8, offset=8)
    return pixels.reshape(-1, 1, 28, 28), labels


def read(path: Path) -> bytes:
    if path.exists():
        return path.read_bytes()
    with gzip.open(f"{path}.gz") as file:
        return file.read()
