"""Near copies of CIFAR-10's test images among its training images, all compared with all, for the test in
crates/data/tests/published.rs: python near_copies.py DATASETS (some four minutes on two cores)."""

import sys
from pathlib import Path

import numpy as np
import torch

BATCH = 500


def images(folder, names):
    rows = np.concatenate([np.fromfile(folder / name, np.uint8).reshape(-1, 3073) for name in names])
    return torch.from_numpy(rows[:, 0]), torch.from_numpy(rows[:, 1:].reshape(-1, 3, 32, 32))


def crops(pooled, down, right):
    vectors = pooled[:, :, down : down + 14, right : right + 14].flatten(1)
    vectors = vectors - vectors.mean(1, keepdim=True)
    return vectors / vectors.norm(dim=1, keepdim=True).clamp_min(1e-12)


def main():
    folder = Path(sys.argv[1]) / "cifar-10"
    train_labels, train = images(folder, [f"data_batch_{part}.bin" for part in range(1, 6)])
    test_labels, test = images(folder, ["test_batch.bin"])
    pool = lambda pixels: torch.nn.functional.avg_pool2d(pixels.float(), 2)
    centres = crops(pool(train), 1, 1)
    best = torch.full((len(test),), -1.0)
    other, view = torch.zeros(len(test), dtype=torch.long), torch.zeros(len(test), dtype=torch.long)
    views = [(mirrored, down, right) for mirrored in (0, 1) for down in range(3) for right in range(3)]
    for number, (mirrored, down, right) in enumerate(views):
        pooled = pool(test.flip(3) if mirrored else test)
        for first in range(0, len(test), BATCH):
            part = slice(first, first + BATCH)
            found, place = (crops(pooled[part], down, right) @ centres.T).max(1)
            is_better = found > best[part]
            best[part] = torch.where(is_better, found, best[part])
            other[part] = torch.where(is_better, place, other[part])
            view[part] = torch.where(is_better, number, view[part])
    for threshold in (0.99, 0.97, 0.95, 0.90):
        reached = best >= threshold
        differs = (test_labels != train_labels[other])[reached].sum()
        mirrored = (view >= 9)[reached].sum()
        print(f"{threshold}: {reached.sum()}, {differs} with another label, {mirrored} mirrored")
    for place in best.argsort(descending=True)[:12].tolist():
        mirrored, down, right = views[view[place]]
        moved = (2 * down - 2, 2 * right - 2)
        print(place, other[place].item(), bool(mirrored), moved, f"{best[place].item():.6f}")


if __name__ == "__main__":
    main()
