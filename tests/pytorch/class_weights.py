"""Cross-entropy with class weights -> tests/reference/class_weights.json.

PyTorch's own weighted loss, alone and with label smoothing: the smoothed part weighs every class by its own weight, the
mean divides by the weights of the labels. For mixtures of two labels PyTorch takes probabilities and divides by the
number of images; the case `mixed` has its sum, and the weight of the batch that ours divides by.
"""

import json

import torch
from torch import nn

import formula
import twins

BATCH = 6
CLASSES = 4
WEIGHTS = [0.25, 1.0, 3.5, 0.0]


def main() -> None:
    logits = 4 * torch.from_numpy(formula.values("logits", BATCH * CLASSES)).reshape(BATCH, CLASSES)
    labels = torch.from_numpy(formula.labels(BATCH, CLASSES))
    weights = torch.tensor(WEIGHTS, dtype=logits.dtype)
    case = {"weights": WEIGHTS, "logits": logits.tolist(), "labels": labels.tolist()}
    cases = []
    for smoothing in (0.0, 0.1, 0.5):
        scores = logits.clone().requires_grad_()
        loss = nn.CrossEntropyLoss(weight=weights, label_smoothing=smoothing)(scores, labels)
        loss.backward()
        cases.append(
            case
            | {
                "smoothing": smoothing,
                "share": 1.0,
                "loss": loss.item(),
                "gradient": scores.grad.tolist(),
            }
        )
    # Each label mixed with that of the image at the other end of the batch.
    for smoothing, share in ((0.0, 0.7), (0.2, 0.7)):
        one_hot = nn.functional.one_hot(labels, CLASSES).to(logits.dtype)
        mixed = share * one_hot + (1 - share) * one_hot.flip(0)
        targets = (1 - smoothing) * mixed + smoothing / CLASSES
        mean = nn.CrossEntropyLoss(weight=weights)(logits, targets).item()
        weight_of_batch = (mixed * weights).sum().item()
        cases.append(
            case
            | {"smoothing": smoothing, "share": share, "loss": mean * BATCH / weight_of_batch, "gradient": None}
        )
    text = ",\n".join(json.dumps(case) for case in cases)
    (twins.REFERENCE / "class_weights.json").write_text(f"[\n{text}\n]\n")


if __name__ == "__main__":
    main()
