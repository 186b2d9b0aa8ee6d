"""Predicts a folder of pictures with a run's weights in PyTorch: the other side of `backburn predict`.

    python predict_run.py RUN FOLDER [WORKERS]

Pillow reads the pictures in WORKERS processes (2 if not given) of a DataLoader; they must have the size of the run's
images. Prints a line `path,class,probability` for each and, on stderr, images a second without PyTorch's own start.
"""

import json
import sys
import time
import tomllib
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from safetensors.torch import load_file

import twins

BATCH = 250


class Pictures(torch.utils.data.Dataset):
    def __init__(self, folder: Path, run: Path):
        self.paths = sorted(folder.rglob("*.png"))
        fitted = json.loads((run / "normalization.json").read_text())
        shape = (-1, 1, 1)
        self.scale, self.shift = (np.array(fitted[key], np.float32).reshape(shape) for key in ("scale", "shift"))

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, place: int) -> torch.Tensor:
        with Image.open(self.paths[place]) as picture:
            pixels = np.asarray(picture.convert("L" if len(self.scale) == 1 else "RGB"), np.float32)
        planes = pixels[None] if pixels.ndim == 2 else pixels.transpose(2, 0, 1)
        return torch.from_numpy(planes * self.scale + self.shift)


def main() -> None:
    run, folder = Path(sys.argv[1]), Path(sys.argv[2])
    workers = int(sys.argv[3]) if len(sys.argv) > 3 else 2
    recipe = tomllib.loads((run / "config.toml").read_text())
    evaluation = json.loads((run / "evaluation.json").read_text())
    names, temperature = evaluation["class_names"], (evaluation["temperature"] or {}).get("temperature", 1.0)
    started = time.perf_counter()
    pictures = Pictures(folder, run)
    network = twins.build(recipe["model"], pictures[0].shape, len(names)).eval()
    network.load_state_dict(load_file(run / "model.safetensors"), strict=True)
    loader = torch.utils.data.DataLoader(pictures, BATCH, num_workers=workers)
    lines = []
    with torch.inference_mode():
        for batch in loader:
            probabilities, classes = (network(batch) / temperature).softmax(1).max(1)
            lines += [f"{names[c]},{p:.6f}" for c, p in zip(classes.tolist(), probabilities.tolist())]
    for path, line in zip(pictures.paths, lines):
        print(f"{path},{line}")
    seconds = time.perf_counter() - started
    print(f"{len(lines)} pictures in {seconds:.2f} s, {len(lines) / seconds:.0f} a second", file=sys.stderr)


if __name__ == "__main__":
    main()
