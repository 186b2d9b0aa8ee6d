#!/usr/bin/env python3
"""Compares two folders of `experiment all`: every result.json, table of numbers, figure and run.

    target/debug/backburn experiment all --out before     # and after a change: --out after
    python3 tests/behaviour/experiments_equal.py before after

Times, commit, machine and paths may differ, with `--words-may-differ` sentences and figures too. Exit status 0
if nothing else does, or 1 with what it is.
"""

import argparse
import json
import re
import sys
from pathlib import Path

import files

# Where a result comes from, which is not what it is.
ORIGIN = ("command", "backburn_version", "burn_version", "git_commit", "device", "threads")
# What is told, not measured.
WORDS = (
    "title", "source", "question", "sentence", "setup", "reduced", "note", "caption", "head", "mistakes", "differences",
)
# Differences shown of one experiment.
SHOWN = 12


def leaves(value, path=""):
    """Every value in JSON with its path."""
    if isinstance(value, dict):
        for name, held in value.items():
            yield from leaves(held, f"{path}.{name}")
    elif isinstance(value, list):
        # So that a shorter one differs.
        yield f"{path}.length", len(value)
        for number, held in enumerate(value):
            yield from leaves(held, f"{path}[{number}]")
    else:
        yield path, value


def told(path):
    """Whether a path leads to what is told."""
    return any(name in WORDS for name in re.findall(r"\w+", path))


def result(folder, name, with_words):
    """The values of a result that another run of the same must have too."""
    held = files.without_times(json.loads((folder / name / "result.json").read_text()))
    for key in ORIGIN:
        held.get("provenance", {}).pop(key, None)
    # Paths begin where the experiment does.
    plain = lambda value: re.sub(rf"\S*/(?={re.escape(name)}/)", "", value) if isinstance(value, str) else value
    return {path: plain(value) for path, value in leaves(held) if with_words or not told(path)}


def other_files(folder, name, with_words):
    """What the other files of an experiment hold, as SHA-256."""
    found = {}
    for path in sorted((folder / name).rglob("*")):
        at = str(path.relative_to(folder / name))
        if path.suffix == ".csv":
            found[at] = files.digest(path.read_bytes())
        elif path.name == "model.safetensors":
            found[at] = files.digest(files.tensors(path))
        elif path.name == "metrics.jsonl":
            rows = [files.without_times(json.loads(line)) for line in path.read_text().splitlines()]
            found[at] = files.digest(json.dumps(rows))
        elif path.suffix == ".svg" and with_words:
            found[at] = files.digest(files.drawing(path))
        elif path.suffix == ".png" and with_words:
            found[at] = files.digest(files.pixels(path))
    return found


def differences(before, after):
    """What is in one only, or not the same in both; of numbers also by how much."""
    for path in before | after:
        one, other = (held.get(path, "nothing") for held in (before, after))
        if one != other:
            numbers = all(isinstance(it, (int, float)) and not isinstance(it, bool) for it in (one, other))
            share = f" (by {abs(other - one) / max(abs(one), abs(other)):.1e} of it)" if numbers else ""
            yield f"{path}: {one!r}, then {other!r}{share}"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("before", type=Path, help="folder that `experiment all --out` wrote")
    parser.add_argument("after", type=Path, help="the same after the change")
    parser.add_argument("--words-may-differ", action="store_true", help="compare what is measured only")
    options = parser.parse_args()

    folders, with_words = (options.before, options.after), not options.words_may_differ
    names = [{path.parent.name for path in folder.glob("*/result.json")} for folder in folders]
    for folder, found in zip(folders, names):
        if not found:
            cure = "name a folder that `experiment all --out` has written"
            sys.exit(f"error: {folder}: expected folders with a result.json, found none; {cure}")
    wrong = 0
    for name in sorted(names[0] | names[1]):
        lacking = [str(folder) for folder, found in zip(folders, names) if name not in found]
        if lacking:
            found = [f"not in {' and '.join(lacking)}"]
        else:
            found = list(differences(*(result(folder, name, with_words) for folder in folders)))
            found += differences(*(other_files(folder, name, with_words) for folder in folders))
        print(f"{name}: {f'{len(found)} differences' if found else 'equal'}")
        for line in found[:SHOWN]:
            print(f"  {line}")
        wrong += bool(found)
    print(f"{len(names[0] | names[1])} experiments, {wrong} differ")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
