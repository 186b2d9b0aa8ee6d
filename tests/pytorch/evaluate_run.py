"""Scores a run's model.safetensors with its PyTorch twin: `evaluate_run.py RUN DATA_DIR`.

Exits with 1 if the test accuracy differs from the run's own by more than 1 image in 10,000.
"""

import argparse
import json
import sys
import tomllib
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file

import datasets
import twins

BATCH = 500


def normalize(pixels: np.ndarray, run: Path) -> torch.Tensor:
    """What the network was trained to see: `byte × scale + shift` per channel, rounded once."""
    fitted = json.loads((run / "normalization.json").read_text())
    scale, shift = (
        np.array(fitted[key], np.float32).astype(np.float64).reshape(-1, 1, 1)
        for key in ("scale", "shift")
    )
    return torch.from_numpy((pixels * scale + shift).astype(np.float32))


def count_right(network: torch.nn.Module, run: Path, pixels: np.ndarray, labels: np.ndarray) -> int:
    right = 0
    with torch.inference_mode():
        for start in range(0, len(labels), BATCH):
            batch = slice(start, start + BATCH)
            answers = network(normalize(pixels[batch], run)).argmax(1).numpy()
            right += int((answers == labels[batch]).sum())
    return right


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path, help="folder of a finished run")
    parser.add_argument("data_dir", type=Path, help="folder with the published files")
    arguments = parser.parse_args()
    run = arguments.run

    recipe = tomllib.loads((run / "config.toml").read_text())
    dataset = recipe["dataset"]
    if dataset not in datasets.FOLDERS and not dataset.startswith("emnist-"):
        print(f"skipped: `{dataset}` has no published test files to read")
        return 0
    pixels, labels = datasets.load_test(dataset, arguments.data_dir)
    classes = len(json.loads((run / "evaluation.json").read_text())["class_names"])
    network = twins.build(recipe["model"], pixels.shape[1:], classes).eval()
    network.load_state_dict(load_file(run / "model.safetensors"), strict=True)

    images = len(labels)
    right = count_right(network, run, pixels, labels)
    accuracy = json.loads((run / "summary.json").read_text())["test_accuracy"]
    difference = right - round(accuracy * images)
    print(f"{recipe['model']['name']} on {dataset}: {right} of {images} right in PyTorch,")
    print(f"{100 * right / images:.2f} %; backburn {100 * accuracy:.2f} % ({difference:+d} images)")
    return int(abs(difference) * 10_000 > images)


if __name__ == "__main__":
    sys.exit(main())
