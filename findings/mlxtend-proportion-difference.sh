#!/usr/bin/env bash
# mlxtend 0.25.0: the p-value of `proportion_difference` depends on which of two accuracies is named first, and is close to 1
# where the first one is far higher.
#
# It is documented as the p-value of a difference of proportions, and what is returned is the normal distribution's value at z,
# which is the p-value of "the first is lower". Whoever names the better network first and looks for p < 0.05 finds no
# difference, however large it is; equal accuracies have 0.5 in place of 1, and a level of 5 % is one of 10 % for whoever names
# the worse first. `mcnemar` and `cochrans_q` of the same package test for a difference in either direction.
#
# Seen: 94 and 90 % of 1000 images: p = 0.0005 with the lower first, 0.9995 with the higher first, by a test of both sides
# 0.0009. 90 and 90 %: 0.5. Of 20,000 pairs of networks that are equally good, the worse one first, 10 % have p < 0.05.
#
# Installs the packages into a temporary folder; prints what it sees and fails if that is something else.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check mlxtend==0.25.0 numpy==2.4.6 scipy==1.17.1
"$folder/venv/bin/python" - <<'PYTHON'
import numpy as np
from mlxtend.evaluate import proportion_difference
from scipy.stats import norm

for first, second, expected in [(0.90, 0.94, 0.0005), (0.94, 0.90, 0.9995), (0.90, 0.90, 0.5)]:
    z, p = proportion_difference(first, second, n_1=1000)
    print(f"{first:.0%} and {second:.0%} of 1000: z = {z:+.2f}, p = {p:.4f}; of both sides {2 * norm.sf(abs(z)):.4f}")
    assert abs(p - expected) < 0.0001

random = np.random.default_rng(1)
pairs = np.sort(random.binomial(1000, 0.9, size=(20_000, 2)) / 1000, axis=1)
found = np.mean([proportion_difference(worse, better, n_1=1000)[1] < 0.05 for worse, better in pairs])
print(f"equally good, the worse one first: p < 0.05 for {found:.1%} of the pairs")
assert 0.09 < found < 0.11
PYTHON
