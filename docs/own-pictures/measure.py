"""Whether fine-tuning, class weights and balanced sampling help: the figures of docs/own-pictures.md.

    python measure.py PROGRAM DATA FOLDER [fine-tuning] [imbalance]

PROGRAM is target/release/backburn; DATA holds CIFAR-10's binary version; pictures and runs are put into FOLDER. Each row
is the mean over seeds 1 to 5 with its standard deviation; differences are by seed, with a 95 % interval of Student's t.
Needs numpy and Pillow.
"""

import json
import subprocess
import sys
from pathlib import Path
from statistics import mean, stdev

import numpy as np
from PIL import Image

NAMES = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]
SEEDS = range(1, 6)
# Student's t, two-sided 95 %, four degrees of freedom.
T = 2.776


def records(files: list[Path]) -> tuple[np.ndarray, np.ndarray]:
    rows = np.concatenate([np.frombuffer(file.read_bytes(), np.uint8).reshape(-1, 3073) for file in files])
    return rows[:, 0], rows[:, 1:].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)


def write(folder: Path, labels: np.ndarray, images: np.ndarray, counts: dict[int, int]) -> None:
    """The first so many images of each class as PNG files."""
    for label, count in counts.items():
        target = folder / NAMES[label]
        target.mkdir(parents=True, exist_ok=True)
        for place in np.flatnonzero(labels == label)[:count]:
            Image.fromarray(images[place]).save(target / f"{place}.png")


class Bench:
    def __init__(self, program: Path, data: Path, folder: Path):
        self.program, self.folder = program.resolve(), folder
        self.train = records(sorted(data.rglob("data_batch_*.bin")))
        self.test = records(sorted(data.rglob("test_batch.bin")))
        folder.mkdir(parents=True, exist_ok=True)

    def pictures(self, name: str, train: dict[int, int], test: dict[int, int]) -> str:
        if not (self.folder / name).exists():
            write(self.folder / name / "train", *self.train, train)
            write(self.folder / name / "test", *self.test, test)
        return f"./{name}"

    def run(self, out: str, *words: object) -> dict:
        if not (self.folder / out / "summary.json").exists():
            command = [self.program, "train", *map(str, words), "--out", out]
            subprocess.run(command, cwd=self.folder, check=True, capture_output=True)
        return {name: json.loads((self.folder / out / f"{name}.json").read_text()) for name in ("summary", "evaluation")}

    def arms(self, name: str, pictures: str, arms: dict[str, list], value) -> None:
        found = {arm: [] for arm in arms}
        for seed in SEEDS:
            for arm, words in arms.items():
                run = self.run(f"runs-{name}/{arm.replace(' ', '-')}-{seed}", pictures, *words, "--seed", seed)
                found[arm].append(100 * value(run))
        first = found[next(iter(arms))]
        for arm, values in found.items():
            line = f"{arm:<40} {mean(values):6.2f} ± {stdev(values):.2f}"
            if values is not first:
                by_seed = [a - b for a, b in zip(values, first)]
                half = T * stdev(by_seed) / len(by_seed) ** 0.5
                line += f"   {mean(by_seed):+.2f} [{mean(by_seed) - half:+.2f}, {mean(by_seed) + half:+.2f}]"
            print(line, flush=True)


def fine_tuning(bench: Bench) -> None:
    """Trained on five classes, then on 200 images of the other five."""
    old, new = range(0, 5), range(5, 10)
    pretraining = bench.pictures("five-classes", {c: 2000 for c in old}, {c: 200 for c in old})
    bench.run("pretrained", pretraining, "--epochs", 20, "--valid-size", 500, "--seed", 1)
    pictures = bench.pictures("other-five", {c: 40 for c in new}, {c: 400 for c in new})
    few = ["--valid-size", 0, "--keep", "last", "--epochs", 60, "--batch-size", 20]
    pretrained = [*few, "--init-from", "pretrained"]
    arms = {
        "from scratch": few,
        "fine-tuned": [*pretrained, "--learning-rate", 0.001],
        "only the head": [*pretrained, "--freeze", "blocks,dense"],
    }
    print("test accuracy on the other five classes, %, trained on 200 images")
    bench.arms("fine-tuning", pictures, arms, lambda run: run["summary"]["test_accuracy"])


def imbalance(bench: Bench) -> None:
    """Five classes of 500 images, five of 10."""
    train = {c: 500 if c % 2 == 0 else 10 for c in range(10)}
    pictures = bench.pictures("one-to-fifty", train, {c: 200 for c in range(10)})
    plain = ["--valid-size", 0, "--keep", "last", "--epochs", 12]
    arms = {
        "none": plain,
        "--class-weights balanced": [*plain, "--class-weights", "balanced"],
        "--sampling balanced": [*plain, "--sampling", "balanced"],
    }
    for key, of in (("balanced accuracy", lambda run: run["evaluation"]["balanced_accuracy"]),):
        print(f"{key}, %, classes of 500 and of 10 images")
        bench.arms("imbalance", pictures, arms, of)


def main() -> None:
    program, data, folder, *asked = sys.argv[1:]
    bench = Bench(Path(program), Path(data), Path(folder))
    for name, part in (("fine-tuning", fine_tuning), ("imbalance", imbalance)):
        if not asked or name in asked:
            part(bench)


if __name__ == "__main__":
    main()
