#!/usr/bin/env python3
"""Scores of a study as a table: a row a seed, a column an arm.

    python3 docs/studies/scores.py runs/calibration > docs/studies/calibration.csv

Seeds that not all arms have are left out. Test accuracy in percent; `--score valid_accuracy` gives another one.
"""

import argparse
import json
import tomllib
from pathlib import Path

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("study", type=Path, help="folder of the study")
parser.add_argument("--score", default="test_accuracy", help="field of summary.json; a share, given in percent")
arguments = parser.parse_args()

study = tomllib.loads((arguments.study / "study.toml").read_text())
arms = [arm["name"] for arm in study["arm"]]
first, count = study.get("first-seed", 1), study["seeds"]
print(",".join(["seed", *arms]))
for seed in range(first, first + count):
    files = [arguments.study / arm / f"seed-{seed}" / "summary.json" for arm in arms]
    if all(file.exists() for file in files):
        scores = [100 * json.loads(file.read_text())[arguments.score] for file in files]
        print(",".join([str(seed), *(f"{score:.4f}".rstrip("0").rstrip(".") for score in scores)]))
