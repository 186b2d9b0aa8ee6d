"""The first images of every class of CIFAR-10 as PNG files, a folder for each class.

    python cifar_pictures.py DATA FOLDER [EACH]

DATA holds `cifar-10-batches-bin/` or `cifar-10/` with the binary version; EACH is 60 if not given. Files are named for
their places in the training split.
"""

import sys
from pathlib import Path

import numpy as np
from PIL import Image

NAMES = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]
RECORD = 1 + 3 * 32 * 32


def main() -> None:
    data, folder = Path(sys.argv[1]), Path(sys.argv[2])
    each = int(sys.argv[3]) if len(sys.argv) > 3 else 60
    batches = sorted(data.rglob("data_batch_*.bin"))
    if len(batches) != 5:
        sys.exit(f"{data}: expected five files data_batch_N.bin, found {len(batches)}")
    written = [0] * len(NAMES)
    place = 0
    for batch in batches:
        for record in np.frombuffer(batch.read_bytes(), np.uint8).reshape(-1, RECORD):
            label = record[0]
            if written[label] < each:
                pixels = record[1:].reshape(3, 32, 32).transpose(1, 2, 0)
                target = folder / NAMES[label]
                target.mkdir(parents=True, exist_ok=True)
                Image.fromarray(pixels).save(target / f"{place}.png")
                written[label] += 1
            place += 1


if __name__ == "__main__":
    main()
