"""Parameters after five steps of each optimizer -> tests/reference/optimizers.json.

The network is a linear classifier and the objective the sum of its logits times coefficients, so
that the gradients depend on the step only. The reference is computed in double precision.
"""

import json

import torch
from torch import nn, optim

import formula
import twins
from muon import Muon

IMAGE = (1, 2, 3)
CLASSES = 4
BATCH = 3
STEPS = 5
WEIGHT_DECAY = 0.1
# Below the norm of every step's gradients.
CLIP_NORM = 0.5

# Name -> optimizer with PyTorch's default settings, learning rate.
OPTIMIZERS = {
    "sgd": (optim.SGD, {"lr": 0.1}),
    "momentum": (optim.SGD, {"lr": 0.1, "momentum": 0.9}),
    "nesterov": (optim.SGD, {"lr": 0.1, "momentum": 0.9, "nesterov": True}),
    "adagrad": (optim.Adagrad, {"lr": 0.1}),
    "rmsprop": (optim.RMSprop, {"lr": 0.01}),
    "adam": (optim.Adam, {"lr": 0.01}),
    "adamw": (optim.AdamW, {"lr": 0.01}),
    # PyTorch's own takes no biases, and computes in bfloat16; muon.py compares the two.
    "muon": (Muon, {"lr": 0.02}),
}


def make_optimizer(name: str, model: nn.Module, decay: float, decayed: str) -> optim.Optimizer:
    """`decayed`: `weights`, or `all` for biases too."""
    kind, settings = OPTIMIZERS[name]
    bias_decay = decay if decayed == "all" else 0.0
    groups = [
        {"params": [model.head.weight], "weight_decay": decay},
        {"params": [model.head.bias], "weight_decay": bias_decay},
    ]
    return kind(groups, **settings)


def run(name: str, decay: float = 0.0, decayed: str = "weights", clip: float | None = None) -> dict:
    model = twins.build({"name": "mlp", "hidden": ()}, IMAGE, CLASSES).double()
    with torch.no_grad():
        for key, parameter in model.named_parameters():
            parameter.copy_(torch.from_numpy(formula.parameter(key, tuple(parameter.shape))))
    optimizer = make_optimizer(name, model, decay, decayed)
    for step in range(STEPS):
        images = by_formula(f"images {step}", (BATCH, *IMAGE))
        coefficients = by_formula(f"coefficients {step}", (BATCH, CLASSES))
        optimizer.zero_grad()
        (model(images) * coefficients).sum().backward()
        if clip is not None:
            norm = nn.utils.clip_grad_norm_(model.parameters(), clip)
            assert norm > clip, "clipping must act"
        optimizer.step()
    return {
        "optimizer": name,
        "learning_rate": OPTIMIZERS[name][1]["lr"],
        "weight_decay": {
            "strength": decay,
            "mode": "decoupled" if name in ("adamw", "muon") else "coupled",
            "parameters": decayed,
        },
        "clip_norm": clip,
        "steps": STEPS,
        "parameters": {key: p.flatten().tolist() for key, p in model.named_parameters()},
    }


def by_formula(name: str, shape: tuple[int, ...]) -> torch.Tensor:
    return torch.from_numpy(formula.values(name, torch.Size(shape).numel())).reshape(shape)


def main() -> None:
    cases = []
    for name in OPTIMIZERS:
        cases.append(run(name))
        cases.append(run(name, decay=WEIGHT_DECAY))
        cases.append(run(name, decay=WEIGHT_DECAY, decayed="all"))
        cases.append(run(name, clip=CLIP_NORM))
    text = ",\n".join(json.dumps(case) for case in cases)
    (twins.REFERENCE / "optimizers.json").write_text(f"[\n{text}\n]\n")


if __name__ == "__main__":
    main()
