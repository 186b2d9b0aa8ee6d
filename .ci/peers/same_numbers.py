"""Compares two folders of JSON files: `same_numbers.py COMMITTED AGAIN`.

Exits with 1 and the first places that differ: another shape or text, or a number that is off by more than the last
digits in which machines differ.
"""

import json
import math
import sys
from pathlib import Path

RELATIVE = 1e-6
ABSOLUTE = 1e-9
SHOWN = 10


def differences(place: str, committed: object, again: object) -> list[str]:
    if isinstance(committed, dict) and isinstance(again, dict) and committed.keys() == again.keys():
        pairs = [(f"{place}.{key}", committed[key], again[key]) for key in committed]
    elif isinstance(committed, list) and isinstance(again, list) and len(committed) == len(again):
        pairs = [(f"{place}[{i}]", *both) for i, both in enumerate(zip(committed, again))]
    elif isinstance(committed, float) and isinstance(again, float):
        if math.isclose(committed, again, rel_tol=RELATIVE, abs_tol=ABSOLUTE):
            return []
        return [f"{place}: {committed} is committed, now it is {again}"]
    else:
        return [] if committed == again else [f"{place}: {committed!r:.60} is committed, now {again!r:.60}"]
    return [found for pair in pairs for found in differences(*pair)]


def main() -> None:
    committed, again = (Path(argument) for argument in sys.argv[1:])
    names = sorted(path.name for path in again.glob("*.json"))
    assert names, f"{again} holds no JSON file"
    found = [
        difference
        for name in names
        for difference in differences(name, *(json.loads((folder / name).read_text()) for folder in (committed, again)))
    ]
    for difference in found[:SHOWN]:
        print(difference, file=sys.stderr)
    if found:
        sys.exit(f"error: {len(found)} numbers differ; run tests/pytorch's scripts and look at the change")
    print(f"{len(names)} files of references are what PyTorch computes")


if __name__ == "__main__":
    main()
