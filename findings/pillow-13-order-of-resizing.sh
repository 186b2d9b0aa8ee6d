#!/usr/bin/env bash
# Pillow resizes in two passes and rounds to bytes between them. Up to 12 the columns always came first. Pillow 13 takes
# the rows first where the height shrinks far more than the width, and the columns first elsewhere, so that the same
# picture, filter and size give other bytes than before for some shapes and the same for others. A network that was
# trained on pictures prepared by one version sees slightly different ones by the other, depending on the shape of each.
#
# Seen with Pillow 12.0.0 and 13.0.0 (BILINEAR, grey noise, height x width):
#   100x100 to 20x90: differs in 376 of 1800 pixels, by 1 level
#   100x100 to 90x20: equal
#   200x120 to 40x60: differs in 357 of 2400 pixels, by 1 level
#   120x200 to 60x40: equal
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
for version in 12.0.0 13.0.0; do
    python3 -m pip install --quiet --disable-pip-version-check --root-user-action ignore \
        --target "$folder/$version" "pillow==$version"
done

cat >"$folder/resize.py" <<'PYTHON'
import random
import sys

from PIL import Image

for height, width, new_height, new_width in [(100, 100, 20, 90), (100, 100, 90, 20), (200, 120, 40, 60), (120, 200, 60, 40)]:
    noise = random.Random(height * width).randbytes(height * width)
    picture = Image.frombytes("L", (width, height), noise)
    resized = picture.resize((new_width, new_height), Image.Resampling.BILINEAR)
    print(f"{height}x{width} to {new_height}x{new_width}", resized.tobytes().hex())
PYTHON

for version in 12.0.0 13.0.0; do
    PYTHONPATH="$folder/$version" python3 "$folder/resize.py" >"$folder/$version.txt"
done

cat >"$folder/compare.py" <<'PYTHON'
import sys

found = []
for before, after in zip(open(sys.argv[1]), open(sys.argv[2])):
    *name, old = before.split()
    *_, new = after.split()
    old, new = bytes.fromhex(old), bytes.fromhex(new)
    differences = [abs(a - b) for a, b in zip(old, new)]
    changed = sum(difference > 0 for difference in differences)
    found.append(changed > 0)
    print(" ".join(name) + ":", f"differs in {changed} of {len(old)} pixels, by {max(differences)} level" if changed else "equal")
sys.exit(found != [True, False, True, False])
PYTHON
python3 "$folder/compare.py" "$folder/12.0.0.txt" "$folder/13.0.0.txt"
