#!/usr/bin/env python3
"""Tables from the runs of docs/studies/claims.sh.

    python3 docs/studies/claims.py runs/claims

Differences are paired by seed, with their 95 % interval by Student's t over ten seeds.
"""

import json
import statistics
import sys
from pathlib import Path

SEEDS = range(1, 11)
# The 97.5 % quantile of Student's t with nine degrees of freedom.
T = 2.2622


def scores(arm: Path, score: str) -> list[float]:
    """A score of every seed, in percent."""
    return [100 * json.loads((arm / f"seed-{seed}" / "summary.json").read_text())[score] for seed in SEEDS]


def spread(values: list[float]) -> str:
    return f"{statistics.mean(values):.2f} ± {statistics.stdev(values):.2f}"


def difference(first: list[float], second: list[float]) -> str:
    """Second minus first, with its interval."""
    return interval([b - a for a, b in zip(first, second, strict=True)])


def interval(values: list[float]) -> str:
    mean = statistics.mean(values)
    half = T * statistics.stdev(values) / len(values) ** 0.5
    return f"{mean:+.2f} [{mean - half:+.2f}, {mean + half:+.2f}]".replace("-", "−")


def growing(folder: Path) -> None:
    print("| width | none | best L2 | best dropout | L2 − none | dropout − L2 |")
    print("| --- | --- | --- | --- | --- | --- |")
    for study in sorted(folder.glob("width-*"), key=lambda path: int(path.name.split("-")[1])):
        arms = {arm.name: arm for arm in study.iterdir() if (arm / "seed-1").is_dir()}

        def best(kind: str) -> Path:
            """The setting that the mean of validation accuracy chooses; never the test images."""
            of_kind = [arm for name, arm in arms.items() if name.startswith(kind)]
            return max(of_kind, key=lambda arm: statistics.mean(scores(arm, "valid_accuracy")))

        decay, dropout = best("weight-decay"), best("dropout")
        none, l2, drop = (scores(arm, "test_accuracy") for arm in (arms["none"], decay, dropout))
        values = [arm.name.split("=")[1] for arm in (decay, dropout)]
        print(
            f"| {study.name.split('-')[1]} | {spread(none)} | {spread(l2)} (λ {values[0]}) | {spread(drop)} "
            f"(rate {values[1]}) | {difference(none, l2)} | {difference(l2, drop)} |"
        )


def batch_norm(folder: Path) -> None:
    study = folder / "batch-norm"
    none, norm = (scores(study / arm, "test_accuracy") for arm in ("none", "batch-norm"))
    print("| dropout | without batch norm | with | dropout's gain without | dropout's gain with | difference of gains |")
    print("| --- | --- | --- | --- | --- | --- |")
    print(f"| 0 | {spread(none)} | {spread(norm)} | | | |")
    for rate in ("0.2", "0.4"):
        plain = scores(study / f"dropout={rate}", "test_accuracy")
        both = scores(study / f"batch-norm+dropout={rate}", "test_accuracy")
        gains = [(d - c) - (b - a) for a, b, c, d in zip(none, plain, norm, both, strict=True)]
        print(
            f"| {rate} | {spread(plain)} | {spread(both)} | {difference(none, plain)} | {difference(norm, both)} | "
            f"{interval(gains)} |"
        )


def halving(folder: Path) -> None:
    found = {}
    for rule in ("none", "halving"):
        for seed in SEEDS:
            search = folder / "search" / f"{rule}-{seed}"
            record = json.loads((search / "search.json").read_text())
            found[rule, seed] = record["winner"], sum(trial["epochs"] for trial in record["trials"])
    print("| search | epochs trained | test accuracy of the winner |")
    print("| --- | --- | --- |")
    accuracies = {}
    for rule in ("none", "halving"):
        epochs = [found[rule, seed][1] for seed in SEEDS]
        accuracies[rule] = [100 * found[rule, seed][0]["test_accuracy"]["mean"] for seed in SEEDS]
        print(f"| {rule} | {statistics.mean(epochs):.0f} | {spread(accuracies[rule])} |")
    same = sum(found["none", seed][0]["number"] == found["halving", seed][0]["number"] for seed in SEEDS)
    print(f"\nhalving − none: {difference(accuracies['none'], accuracies['halving'])} points; the same winner in {same} of 10")


def source(folder: Path) -> None:
    """The best five trials, whose range the source goes on with."""
    trials = json.loads((folder / "source" / "search.json").read_text())["trials"]
    trials = [trial for trial in trials if trial["valid_accuracy"] is not None]
    trials.sort(key=lambda trial: -trial["valid_accuracy"])
    print("| trial | validation accuracy | learning rate | weight decay |")
    print("| --- | --- | --- | --- |")
    for place, trial in enumerate(trials[:5], start=1):
        rate, decay = (trial["values"][name] for name in ("learning-rate", "weight-decay"))
        print(f"| {place} | {100 * trial['valid_accuracy']:.0f} % | {rate:.2e} | {decay:.2e} |".replace("e-0", "e−"))


def main() -> None:
    folder = Path(sys.argv[1])
    for part in (growing, batch_norm, halving, source):
        print(f"\n{part.__name__}\n")
        part(folder)


if __name__ == "__main__":
    main()
