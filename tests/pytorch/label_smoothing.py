"""Cross-entropy against smooth labels -> tests/reference/label_smoothing.json.

`uniform` is PyTorch's own label smoothing; `others` gives the label 1 - e and spreads e over the
other classes. The reference is computed in double precision.
"""

import json

import torch
from torch import nn

import formula
import twins

BATCH = 4
CLASSES = 5


def loss(convention: str, strength: float, logits: torch.Tensor, labels: torch.Tensor) -> float:
    if convention == "uniform":
        return nn.CrossEntropyLoss(label_smoothing=strength)(logits, labels).item()
    targets = torch.full_like(logits, strength / (CLASSES - 1))
    targets.scatter_(1, labels[:, None], 1 - strength)
    return nn.CrossEntropyLoss()(logits, targets).item()


def main() -> None:
    logits = 4 * torch.from_numpy(formula.values("logits", BATCH * CLASSES)).reshape(BATCH, CLASSES)
    labels = torch.from_numpy(formula.labels(BATCH, CLASSES))
    cases = [
        {
            "convention": convention,
            "strength": strength,
            "logits": logits.tolist(),
            "labels": labels.tolist(),
            "loss": loss(convention, strength, logits, labels),
        }
        for convention in ("uniform", "others")
        for strength in (0.0, 0.1, 0.2, 0.6)
    ]
    text = ",\n".join(json.dumps(case) for case in cases)
    (twins.REFERENCE / "label_smoothing.json").write_text(f"[\n{text}\n]\n")


if __name__ == "__main__":
    main()
