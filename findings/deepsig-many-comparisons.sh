#!/usr/bin/env bash
# deepsig 1.2.8 (deep-significance, PyPI): its corrections for several comparisons hand p-values to the wrong hypotheses, grow
# weaker with more comparisons, and find no difference between two models, whatever their scores.
#
# `bonferroni_correction` sorts the p-values, corrects them, and promises to put them back in their order; it orders them by the
# same places once more instead. That is right only for lists which are sorted or where entries are swapped in pairs.
# `aso(num_comparisons=n)` and `multi_aso` say that they divide the significance level by n, so that 0.95 becomes 1 - 0.05 / n.
# They take 0.95 + 0.05 / n: right for 2, close to no correction for many, and 1, where nothing is enough, for one comparison.
#
# Seen: p-values 0.5, 0.001 and 0.2 become 0.4, 0.5 and 0.003: the third is now significant, the second no more. For the scores
# of two models over five seeds `aso`, which finds the first better if it says less than 0.5, says 0.28 alone, 0.34 for 2
# comparisons, 0.31 for 3, 0.29 for 10 and 0.28 for 50, where the corrected level gives 0.53. `multi_aso` of these two says 1
# both ways, and 0.28 without its correction; of two models that lie 1 apart NaN, and 0 without.
#
# Installs the packages into a temporary folder; prints what it sees and fails if that is something else.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check deepsig==1.2.8 numpy==2.4.6 scipy==1.17.1
"$folder/venv/bin/python" - 2>/dev/null <<'PYTHON'
import numpy as np
from deepsig import aso, bonferroni_correction, multi_aso

for values, expected in [([0.001, 0.2, 0.5], [0.003, 0.4, 0.5]), ([0.5, 0.001, 0.2], [0.4, 0.5, 0.003])]:
    corrected = bonferroni_correction(values)
    print(f"p-values {values} become {corrected.round(4).tolist()}")
    assert np.allclose(corrected, expected)

first = np.array([0.921, 0.934, 0.928, 0.941, 0.930])
second = np.array([0.915, 0.929, 0.931, 0.922, 0.926])
options = dict(num_bootstrap_iterations=500, show_progress=False, seed=1)
for comparisons, expected, right in [(1, 0.28, 0.28), (2, 0.34, 0.34), (3, 0.31, 0.36), (10, 0.29, 0.44), (50, 0.28, 0.53)]:
    seen = aso(first, second, num_comparisons=comparisons, **options)
    divided = aso(first, second, confidence_level=1 - 0.05 / comparisons, **options)
    print(f"aso, {comparisons} comparisons: {seen:.2f}; at level 0.05 / {comparisons}: {divided:.2f}")
    assert abs(seen - expected) < 0.01 and abs(divided - right) < 0.01
    if comparisons > 1:
        assert np.isclose(seen, aso(first, second, confidence_level=0.95 + 0.05 / comparisons, **options))

for name, scores, plain, corrected in [("near", first, 0.28, 1), ("1 apart", second + 1, 0, np.nan)]:
    models = {"first": scores, "second": second}
    without = multi_aso(models, use_bonferroni=False, **options)
    default = multi_aso(models, **options)
    print(f"multi_aso, two models, {name}: {default.round(2).tolist()}; uncorrected: {without.round(2).tolist()}")
    assert abs(without[0, 1] - plain) < 0.01 and without[1, 0] == 1
    assert np.array_equal([default[0, 1], default[1, 0]], [corrected, corrected], equal_nan=True)
PYTHON
