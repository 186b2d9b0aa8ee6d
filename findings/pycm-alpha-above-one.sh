#!/usr/bin/env bash
# pycm 4.6: its weighted Krippendorff's alpha is 4.4 for answers of which each is wrong, and -0.2 where nine of ten are right;
# its p-value of an accuracy does not exist from 1030 images on.
#
# Alpha is 1 for full agreement, 0 for that of chance, never more than 1. Agreement by chance is the sum over pairs of classes
# of p_i p_j times the weight, with the shares p of both raters together. `weighted_alpha` takes ((P_i + TOP_j) / 2)^2 for
# p_i p_j: right on the diagonal, and thus with weights that know only right and wrong, too much elsewhere where classes are of
# different sizes. More agreement than 1 is then expected by chance, and whoever agrees less scores more.
# `PValue` (the accuracy beside that of always naming the largest class) multiplies binomial coefficients with powers; from 1030
# images on, of which more than half are right, a coefficient is no double any more, and the result is the text "None".
#
# Seen: grades 0 to 4 of 700, 100, 100, 60 and 40 pictures, weights |i - j|. All right 1.00; a tenth of each grade one beside
# -0.22 (0.90), a fifth 0.15 (0.81), half -0.25 (0.57), all of them 4.44 (0.15), in brackets the definition's. Of 1029 images
# in two classes, 60 % of them right, the p-value is 1e-10; of 1030 and 10,000 "None".
#
# Installs the packages into a temporary folder; prints what it sees and fails if that is something else.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check pycm==4.6 numpy==2.4.6
"$folder/venv/bin/python" - <<'PYTHON'
import numpy as np
from pycm import ConfusionMatrix

sizes = np.array([700, 100, 100, 60, 40])
grades = np.arange(len(sizes))
distance = np.abs(grades[:, None] - grades)


def table(matrix):
    """pycm takes dictionaries."""
    return {i: {j: int(value) for j, value in enumerate(row)} for i, row in enumerate(matrix)}


def defined(matrix):
    """Krippendorff's alpha: 1 less observed over expected disagreement, both from coincidences."""
    coincidences = matrix + matrix.T
    of_class, pairs = coincidences.sum(axis=1), coincidences.sum()
    expected = (np.outer(of_class, of_class) - np.diag(of_class)) / (pairs - 1)
    return 1 - (coincidences * distance).sum() / (expected * distance).sum()


neighbour = np.array([1, 2, 3, 4, 3])
for wrong, seen, right in [(0, 1, 1), (10, -0.22, 0.90), (20, 0.15, 0.81), (50, -0.25, 0.57), (100, 4.44, 0.15)]:
    matrix = np.diag(sizes * (100 - wrong) // 100)
    matrix[grades, neighbour] += sizes * wrong // 100
    answers = ConfusionMatrix(matrix=table(matrix))
    alpha = answers.weighted_alpha(table(distance))
    print(f"{wrong} % one grade beside: weighted alpha {alpha:.2f}, by definition {defined(matrix):.2f}")
    assert abs(alpha - seen) < 0.01 and abs(defined(matrix) - right) < 0.01
    # With weights that only know right and wrong, it is the other alpha, which is in order.
    assert np.isclose(answers.weighted_alpha(table(distance > 0)), answers.Alpha)

for images in (1029, 1030, 10_000):
    right = images * 6 // 10
    first, second = (images + 1) // 2, images // 2
    matrix = [[right // 2, first - right // 2], [second - (right - right // 2), right - right // 2]]
    answers = ConfusionMatrix(matrix=table(matrix))
    assert sum(answers.POP.values()) == 2 * images
    print(f"{images} images, {answers.Overall_ACC:.1%} right: p-value {answers.PValue}")
    assert answers.PValue == "None" if images >= 1030 else 0 < answers.PValue < 1e-9
PYTHON
