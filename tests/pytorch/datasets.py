"""Test images as their publishers' files hold them, compressed or not."""

import gzip
from pathlib import Path

import numpy as np

FOLDERS = {
    "mnist": "mnist", "fashion-mnist": "fashion-mnist", "kmnist": "kmnist", "cifar10": "cifar-10",
    "cifar100": "cifar-100", "cifar100-coarse": "cifar-100",
}


def load_test(name: str, root: Path) -> tuple[np.ndarray, np.ndarray]:
    """Pixels `[images, channels, height, width]`, bytes, and labels `[images]`.

    `root`: a data folder, or the folder of this one data set.
    """
    is_emnist = name.startswith("emnist-")
    folder = root / ("emnist" if is_emnist else FOLDERS[name])
    if not folder.is_dir():
        folder = root
    if name == "cifar10":
        records = np.frombuffer(read(folder / "test_batch.bin"), np.uint8).reshape(-1, 3073)
        return records[:, 1:].reshape(-1, 3, 32, 32), records[:, 0]
    if name.startswith("cifar100"):
        records = np.frombuffer(read(folder / "test.bin"), np.uint8).reshape(-1, 3074)
        return records[:, 2:].reshape(-1, 3, 32, 32), records[:, 0 if name == "cifar100-coarse" else 1]
    # IDX: headers of 16 and 8 bytes.
    prefix = f"{name}-test" if is_emnist else "t10k"
    pixels = np.frombuffer(read(folder / f"{prefix}-images-idx3-ubyte"), np.uint8, offset=16).reshape(-1, 1, 28, 28)
    labels = np.frombuffer(read(folder / f"{prefix}-labels-idx1-ubyte"), np.uint8, offset=8)
    if is_emnist:
        # Stored transposed, and letters are counted from 1.
        return pixels.transpose(0, 1, 3, 2), labels - (name == "emnist-letters")
    return pixels, labels


def read(path: Path) -> bytes:
    if path.exists():
        return path.read_bytes()
    with gzip.open(f"{path}.gz") as file:
        return file.read()
