#!/usr/bin/env bash
# pytorch_optimizer 4.1.0 with PyTorch 2.15.0: the first steps of `Lamb` are ten times as long as its learning rate says.
#
# LAMB gives every layer's step the length of the layer's weights, whatever the gradients, and multiplies it with the learning
# rate: with 0.01 a layer moves by 1 % of itself. Here the step, once it has its length, is also divided by 1 - 0.9^t, which
# is the correction of Adam's first moment for its beginning at zero. Before the step is brought to its length that correction
# would be without effect; behind it, it lengthens the first steps, just where large batches are warmed up for. Its
# documentation says that nothing is corrected. The correction of the second moment is missing, so that layers whose weights
# are all zero, as biases mostly are at first, move by 31.6 times the learning rate in their first step, where Adam moves by
# once.
#
# Seen with a learning rate of 0.01: steps of 10 %, 5.26 %, 3.69 %, 2.91 % of the weights' length, and of 1.01 % after 50; of
# a layer of zeros by 0.316. With `adam_debias=True`, which `Lamb` takes and does not mention, 1 % from the first one on.
#
# Installs the packages into a temporary folder; prints what it sees and fails if that is something else.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check pytorch_optimizer==4.1.0 torch==2.15.0
"$folder/venv/bin/python" - <<'PYTHON'
import torch
from pytorch_optimizer import Lamb

RATE = 0.01


def steps(count, **settings):
    """Lengths of the first steps, as shares of the length of the weights before each."""
    torch.manual_seed(0)
    weights = torch.nn.Parameter(torch.nn.functional.normalize(torch.randn(1000), dim=0))
    optimizer, lengths = Lamb([weights], lr=RATE, **settings), []
    for _ in range(count):
        before = weights.detach().clone()
        weights.grad = 1e-3 * torch.randn(1000)
        optimizer.step()
        lengths.append(((weights.detach() - before).norm() / before.norm()).item())
    return lengths


found = steps(50)
print("of the length of the weights:", ", ".join(f"{100 * step:.2f} %" for step in found[:4]), f"… {100 * found[-1]:.2f} %")
for t, step in enumerate(found, start=1):
    assert abs(step - RATE / (1 - 0.9**t)) < 1e-5, (t, step)
found = steps(50, adam_debias=True)
print("with adam_debias=True:", ", ".join(f"{100 * step:.2f} %" for step in found[:4]), f"… {100 * found[-1]:.2f} %")
assert all(abs(step - RATE) < 1e-5 for step in found)
assert all(name not in Lamb.__doc__ for name in ("adam_debias", "AdamD"))

bias = torch.nn.Parameter(torch.zeros(1))
bias.grad = torch.ones(1)
Lamb([bias], lr=RATE).step()
print(f"a bias of zero with a gradient of 1: {-bias.item():.4f}")
assert abs(-bias.item() - RATE * 0.1 / 0.001**0.5 / 0.1) < 1e-4
PYTHON
