#!/usr/bin/env bash
# Lightning 2.6.6 with PyTorch 2.15.0 (CPU): the last step of an epoch is too short when its window of accumulated
# batches is not full.
#
# `Trainer(accumulate_grad_batches=4)` promises the mean gradient of the gathered batches. It divides the loss of every
# batch by 4. If the number of batches is no multiple of 4, the last step of each epoch sums fewer terms and is still
# divided by 4: with one batch left over it is a quarter of what that batch asks for, with two a half.
#
# Seen: with gradients of -1 in every batch, 5 batches give steps of -1 and -0.25, 6 give -1 and -0.5; 4 and 8 are right.
# Nothing is said. Expected of a mean: -1 in every step.
#
# Installs the two packages into a temporary folder; prints what it sees and fails if that is something else.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check lightning==2.6.6 torch==2.15.0
"$folder/venv/bin/python" - 2>/dev/null <<'PYTHON'
import lightning
import torch


class Slope(lightning.LightningModule):
    """One weight, whose gradient is -1 on every batch."""

    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(1))
        self.gradients = []

    def training_step(self, batch, _):
        return -(self.weight * batch[0].mean()).sum()

    def on_before_optimizer_step(self, optimizer):
        self.gradients.append(self.weight.grad.item())

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=1.0)


def steps(batches):
    model = Slope()
    images = torch.utils.data.TensorDataset(torch.ones(batches, 1))
    trainer = lightning.Trainer(
        max_epochs=1, accumulate_grad_batches=4, accelerator="cpu", logger=False,
        enable_checkpointing=False, enable_progress_bar=False, enable_model_summary=False,
    )
    trainer.fit(model, torch.utils.data.DataLoader(images, batch_size=1))
    return model.gradients


expected = {4: [-1.0], 5: [-1.0, -0.25], 6: [-1.0, -0.5], 8: [-1.0, -1.0]}
for batches, gradients in expected.items():
    seen = steps(batches)
    print(f"{batches} batches: {seen}")
    assert seen == gradients, f"expected {gradients}"
PYTHON
