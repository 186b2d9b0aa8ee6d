#!/usr/bin/env bash
# torchmetrics 1.9.0 with PyTorch 2.15.0: the calibration error has one bin more than asked for, in which are the predictions
# of confidence 1 alone.
#
# Bins take their lower end and leave out their upper one, the last like the others, so that a confidence of exactly 1 belongs
# to a bin behind it. A softmax in single precision gives exactly 1 where one logit lies some 20 above nine others, which is
# nothing rare of a network that has learnt its images by heart. Errors in opposite directions no longer cancel within the
# last bin; two networks whose confidences differ in the seventh digit get other errors.
#
# Seen: with one bin, whose error is the distance of the mean confidence from the accuracy, answers of confidence 1 (wrong)
# and 0.5 (right) have an error of 0.75 in place of 0.25. With 15 bins, of a hundred answers half at 1, of which 80 % are
# right, and half at 0.96, of which all are, the expected error is 0.12; it is 0.08 with 0.9999999 in place of 1, the maximum
# error 0.2 in place of 0.08.
#
# Installs the packages into a temporary folder; prints what it sees and fails if that is something else.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check torchmetrics==1.9.0 torch==2.15.0
"$folder/venv/bin/python" - <<'PYTHON'
import torch
from torchmetrics.functional.classification import binary_calibration_error, multiclass_calibration_error

confidence = torch.softmax(torch.tensor([20.0] + 9 * [0.0]), 0)[0]
print(f"a logit 20 above nine others: confidence {confidence:.9f}")
assert confidence == 1.0

probabilities = torch.tensor([[1.0, 0.0], [0.5, 0.5]])
error = multiclass_calibration_error(probabilities, torch.tensor([1, 0]), num_classes=2, n_bins=1)
print(f"one bin, confidences 1 (wrong) and 0.5 (right): {error:.2f}; of one bin 0.25")
assert torch.isclose(error, torch.tensor(0.75))


def errors(top):
    """Expected and maximum calibration error of a hundred answers."""
    confidences = torch.cat([torch.full((50,), top), torch.full((50,), 0.96)])
    right = torch.cat([torch.arange(50) < 40, torch.ones(50, dtype=torch.bool)]).long()
    return [binary_calibration_error(confidences, right, n_bins=15, norm=norm).item() for norm in ("l1", "max")]


for top, expected in [(1.0, [0.12, 0.2]), (0.9999999, [0.08, 0.08])]:
    found = errors(top)
    print(f"confidences {top} and 0.96, 15 bins: expected {found[0]:.4f}, maximum {found[1]:.4f}")
    assert torch.allclose(torch.tensor(found), torch.tensor(expected), atol=1e-6)
PYTHON
