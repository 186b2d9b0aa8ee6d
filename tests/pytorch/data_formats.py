"""Writes a small valid file of each format that data sets come in, and what other tools read from it.

The files go to crates/data/tests/formats, with expected.toml beside them, for crates/data/tests/formats.rs. EMNIST
and KMNIST are read by torchvision (EMNIST transposed afterwards, as its users do), arrays by NumPy.
"""

import gzip
import struct
import tempfile
from pathlib import Path

import numpy as np
from torchvision.datasets import EMNIST, KMNIST

FOLDER = Path(__file__).parent / "../../crates/data/tests/formats"
CORRUPTIONS = ["gaussian_noise", "fog"]


def main():
    FOLDER.mkdir(exist_ok=True)
    expected = {}
    for split, images in (("train", 2), ("test", 1)):
        expected |= cifar100(split, images)
    for name, first, classes in (("letters", 1, 26), ("byclass", 0, 62)):
        expected |= emnist(name, first, classes)
    expected |= kmnist()
    expected |= corrupted()
    expected |= anew()
    lines = ["# Written by tests/pytorch/data_formats.py."]
    for table, (labels, pixels) in expected.items():
        lines += ["", f'["{table}"]', f"labels = {list(map(int, labels))}", "pixels = ["]
        lines += [f"    {list(map(int, row))}," for row in probes(pixels)] + ["]"]
    (FOLDER / "expected.toml").write_text("\n".join(lines) + "\n")


def drawn(seed, *shape):
    """Images without any symmetry that compress well: a ramp in each direction, of another slope in each image."""
    at = np.indices(shape)
    slopes = [71, 3, 5, 37][: len(shape) - 1] + [89 if shape[-1] == 3 else 7]
    return (sum(slope * index for slope, index in zip(slopes, at)) + 11 * seed).astype(np.uint8)


def probes(pixels):
    """Image, channel, row, column and value of some pixels of `[images, channels, height, width]`."""
    images, channels, height, width = pixels.shape
    for step in range(12):
        image, channel = step % images, step * 5 % channels
        row, column = step * 13 % height, (step * 17 + 5) % width
        yield image, channel, row, column, pixels[image, channel, row, column]


def cifar100(split, images):
    """Records of a coarse label, a fine label and three planes."""
    pixels = drawn(len(split), images, 3, 32, 32)
    coarse, fine = np.arange(images, dtype=np.uint8) * 8 + 11, np.arange(images, dtype=np.uint8) * 50 + 49
    records = np.concatenate([coarse[:, None], fine[:, None], pixels.reshape(images, -1)], axis=1)
    path = FOLDER / "cifar-100-binary" / f"{split}.bin"
    path.parent.mkdir(exist_ok=True)
    records.tofile(path)
    read = np.fromfile(path, np.uint8).reshape(-1, 3074)
    planes = read[:, 2:].reshape(-1, 3, 32, 32)
    return {f"cifar100 {split}": (read[:, 1], planes), f"cifar100-coarse {split}": (read[:, 0], planes)}


def idx(array):
    """An IDX file of unsigned bytes."""
    return struct.pack(f">I{array.ndim}I", 0x0800 + array.ndim, *array.shape) + array.astype(np.uint8).tobytes()


def write_idx(path, array, compressed):
    path.parent.mkdir(exist_ok=True)
    if compressed:
        # Without a time, so that the file is the same at every run.
        Path(f"{path}.gz").write_bytes(gzip.compress(idx(array), mtime=0))
    else:
        path.write_bytes(idx(array))


def emnist(name, first, classes):
    """Images as the publisher stores them: each transposed. `first` is the lowest label."""
    expected = {}
    with tempfile.TemporaryDirectory() as root:
        raw = Path(root) / "EMNIST/raw"
        raw.mkdir(parents=True)
        for split, images in (("train", 3), ("test", 2)):
            stored = drawn(classes + len(split), images, 28, 28)
            labels = np.linspace(first, first + classes - 1, images).astype(np.uint8)
            for kind, array in (("images-idx3", stored), ("labels-idx1", labels)):
                file = f"emnist-{name}-{split}-{kind}-ubyte"
                write_idx(FOLDER / "emnist" / file, array, compressed=name == "letters")
                (raw / file).write_bytes(idx(array))
            read = EMNIST(root, name, train=split == "train")
            upright = read.data.numpy().transpose(0, 2, 1)[:, None]
            # torchvision leaves the letters' labels at 1 to 26, beside a class "N/A".
            expected[f"emnist-{name} {split}"] = (read.targets.numpy() - first, upright)
    return expected


def kmnist():
    """MNIST's format and names."""
    expected = {}
    with tempfile.TemporaryDirectory() as root:
        raw = Path(root) / "KMNIST/raw"
        raw.mkdir(parents=True)
        for split, prefix, labels in (("train", "train", [9, 0, 4]), ("test", "t10k", [7, 2])):
            images = drawn(len(split), len(labels), 28, 28)
            for kind, array in (("images-idx3", images), ("labels-idx1", np.array(labels, np.uint8))):
                write_idx(FOLDER / "kmnist" / f"{prefix}-{kind}-ubyte", array, compressed=True)
                (raw / f"{prefix}-{kind}-ubyte").write_bytes(idx(array))
        for split in ("train", "test"):
            read = KMNIST(root, train=split == "train")
            expected[f"kmnist {split}"] = (read.targets.numpy(), read.data.numpy()[:, None])
    return expected


def corrupted():
    """CIFAR-10-C: a file for each corruption, in which five severities of the test images follow each other."""
    folder = FOLDER / "CIFAR-10-C"
    folder.mkdir(exist_ok=True)
    np.save(folder / "labels.npy", np.tile(np.array([3], np.uint8), 5))
    expected = {}
    for seed, name in enumerate(CORRUPTIONS):
        np.save(folder / f"{name}.npy", drawn(seed, 5, 32, 32, 3))
        images, labels = np.load(folder / f"{name}.npy"), np.load(folder / "labels.npy")
        for severity in range(5):
            own = slice(severity, severity + 1)
            expected[f"{name}, severity {severity + 1}"] = (labels[own], images[own].transpose(0, 3, 1, 2))
    return expected


def anew():
    """CIFAR-10.1, whose labels are 32-bit numbers."""
    folder = FOLDER / "CIFAR-10.1"
    folder.mkdir(exist_ok=True)
    np.save(folder / "cifar10.1_v6_data.npy", drawn(3, 2, 32, 32, 3))
    np.save(folder / "cifar10.1_v6_labels.npy", np.array([8, 1], np.int32))
    images, labels = (np.load(folder / f"cifar10.1_v6_{part}.npy") for part in ("data", "labels"))
    return {"cifar10.1_v6": (labels, images.transpose(0, 3, 1, 2))}


if __name__ == "__main__":
    main()
