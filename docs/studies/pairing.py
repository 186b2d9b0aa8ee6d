#!/usr/bin/env python3
"""What pairing by seed is worth: correlations between arms and the first, and widths of intervals with and without pairs.

    cargo xtask study run docs/studies/pairing.toml --jobs 2 --threads 2 --out runs/pairing-drawn
    cargo xtask study run docs/studies/pairing.toml --jobs 2 --threads 2 --data fixed --out runs/pairing-fixed
    python3 docs/studies/pairing.py runs/pairing-drawn runs/pairing-fixed

Test accuracy in percent. The width without pairs is that of Welch's interval with as many seeds for each arm; both by the
normal quantile, which cancels in their ratio.
"""

import json
import statistics
import sys
import tomllib
from pathlib import Path

print("| arm | data | seeds | difference | correlation | interval ± paired | ± unpaired | ratio |")
print("| --- | --- | --- | --- | --- | --- | --- | --- |")
for folder in map(Path, sys.argv[1:]):
    study = tomllib.loads((folder / "study.toml").read_text())
    names = [arm["name"] for arm in study["arm"]]
    seeds = range(1, study["seeds"] + 1)

    def summary(arm: str, seed: int) -> Path:
        return folder / arm / f"seed-{seed}" / "summary.json"

    seeds = [seed for seed in seeds if all(summary(arm, seed).exists() for arm in names)]
    scores = {
        arm: [100 * json.loads(summary(arm, seed).read_text())["test_accuracy"] for seed in seeds] for arm in names
    }
    base = scores[names[0]]
    for arm in names[1:]:
        other = scores[arm]
        differences = [b - a for a, b in zip(base, other, strict=True)]
        root = len(seeds) ** 0.5
        paired = 1.96 * statistics.stdev(differences) / root
        unpaired = 1.96 * (statistics.variance(base) + statistics.variance(other)) ** 0.5 / root
        print(
            f"| {arm} | {study.get('data', 'drawn')} | {len(seeds)} | {statistics.mean(differences):+.2f} | "
            f"{statistics.correlation(base, other):.2f} | {paired:.2f} | {unpaired:.2f} | {paired / unpaired:.2f} |"
        )
