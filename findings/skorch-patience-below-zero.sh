#!/usr/bin/env bash
# skorch 1.4.0 with PyTorch 2.15.0 and scikit-learn 1.9.1: `EarlyStopping` never stops by a score below zero that stands still
# or slowly gets worse, and takes the worst epoch for the best.
#
# An epoch counts as better if its score passes the best one by a share of it, `threshold=1e-4`, which is the default. The
# share of a score below zero is added with its sign, so that the mark lies on the wrong side of the best score: the same
# score passes it, and so does one that is worse by less than a ten-thousandth. Scores below zero are what scikit-learn's
# `neg_log_loss`, `neg_brier_score` and their like give, of which greater is better.
#
# Seen, with a patience of 2 and at most 12 epochs: where nothing is learnt, `accuracy` stops after 3 epochs, `neg_log_loss`
# after none, and the last is its best. Where every epoch is worse than the one before, `load_best=True` goes back to the
# last. With `threshold_mode="abs"`, or a threshold of 0 where the score stands still, all is as promised.
#
# Installs the packages into a temporary folder; prints what it sees and fails if that is something else.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
    skorch==1.4.0 torch==2.15.0 scikit-learn==1.9.1 numpy==2.4.6
"$folder/venv/bin/python" - <<'PYTHON'
import numpy as np
import torch
from skorch import NeuralNetClassifier
from skorch.callbacks import EarlyStopping, EpochScoring

inputs = np.random.default_rng(1).normal(size=(40, 2)).astype("float32")
labels = np.arange(40) % 2


class Linear(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = torch.nn.Linear(2, 2)

    def forward(self, batch):
        return torch.softmax(self.linear(batch), dim=-1)


def train(score, learning_rate=0.0, **rule):
    """The scores of all epochs that were trained, and which the rule found best."""
    stopping = EarlyStopping(monitor="watched", patience=2, lower_is_better=False, **rule)
    scoring = EpochScoring(score, lower_is_better=False, name="watched")
    torch.manual_seed(0)
    net = NeuralNetClassifier(
        Linear, max_epochs=12, lr=learning_rate, verbose=0, callbacks=[scoring, stopping]
    )
    net.fit(inputs, labels)
    return [epoch["watched"] for epoch in net.history], stopping.best_epoch_


for score, rule, expected in [
    ("accuracy", {}, (3, 1)),
    ("neg_log_loss", {}, (12, 12)),
    ("neg_log_loss", {"threshold": 0}, (3, 1)),
    ("neg_log_loss", {"threshold_mode": "abs"}, (3, 1)),
]:
    scores, best = train(score, **rule)
    assert len(set(scores)) == 1, "nothing is learnt"
    print(f"{score} {scores[0]:.4f} in every epoch, {rule}: {len(scores)} epochs, the best is {best}")
    assert (len(scores), best) == expected

scores, best = train("neg_log_loss", learning_rate=1e-5, load_best=True)
falls = all(later < earlier for earlier, later in zip(scores, scores[1:]))
print(f"from {scores[0]:.6f} down to {scores[-1]:.6f}: {len(scores)} epochs, the best is {best}")
assert falls and (len(scores), best) == (12, 12)
scores, best = train("neg_log_loss", learning_rate=1e-5, threshold_mode="abs")
print(f"the same with an absolute threshold: {len(scores)} epochs, the best is {best}")
assert (len(scores), best) == (3, 1)
PYTHON
