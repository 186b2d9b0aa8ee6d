"""Parameters after five steps with groups of their own decay -> tests/reference/parameter_groups.json.

Gradients are numbers by formula, so that they depend on the step only. A case says as a recipe does how its network is
trained, and beside it, for PyTorch, which of the parameters are in which of `param_groups`.
"""

import json

import torch
from torch import optim

import formula
import twins

STEPS = 5
MODEL = {"name": "mlp", "hidden": (3,), "batch_norm": True}
IMAGE = (1, 1, 4)
CLASSES = 2

WEIGHTS = ["hidden.0.weight", "head.weight"]
BIASES = ["hidden.0.bias", "head.bias"]
SCALES = ["norms.0.weight"]
SHIFTS = ["norms.0.bias"]

CASES = [
    # Scales stay as they are; what is no weight decays twice as much at half the rate; the head not at all.
    (
        {
            "optimizer": {"name": "nesterov", "momentum": 0.9},
            "learning_rate": 0.1,
            "weight_decay": {"strength": 0.1},
            "groups": [
                {"role": "norm-scale", "training": "frozen"},
                {"role": "norm-shift", "rate_factor": 0.5, "weight_decay": {"strength": 0.2}},
                {"role": "bias", "rate_factor": 0.5, "weight_decay": {"strength": 0.2}},
                {"path": "head", "weight_decay": {"strength": 0.0}},
            ],
        },
        [
            (optim.SGD, ["hidden.0.weight"], {"lr": 0.1, "weight_decay": 0.1}),
            (optim.SGD, ["head.weight"], {"lr": 0.1}),
            (optim.SGD, SHIFTS + BIASES, {"lr": 0.05, "weight_decay": 0.2}),
        ],
        {"momentum": 0.9, "nesterov": True},
    ),
    # Of all that is normalization decay is decoupled as in the recipe, which spares biases.
    (
        {
            "optimizer": {"name": "adamw"},
            "learning_rate": 0.01,
            "weight_decay": {"strength": 0.1, "mode": "decoupled"},
            "groups": [{"role": "norm", "weight_decay": {"strength": 3.0}}],
        },
        [
            (optim.AdamW, WEIGHTS, {"lr": 0.01, "weight_decay": 0.1}),
            (optim.AdamW, BIASES, {"lr": 0.01, "weight_decay": 0.0}),
            (optim.AdamW, SCALES + SHIFTS, {"lr": 0.01, "weight_decay": 3.0}),
        ],
        {},
    ),
    # A head with a rule and a way to decay of its own, its bias too.
    (
        {
            "optimizer": {"name": "adam"},
            "learning_rate": 0.01,
            "weight_decay": {"strength": 0.1, "parameters": "all"},
            "groups": [
                {
                    "path": "head",
                    "optimizer": {"name": "adamw"},
                    "weight_decay": {"strength": 2.0, "mode": "decoupled"},
                }
            ],
        },
        [
            (optim.Adam, ["hidden.0.weight", "hidden.0.bias", *SCALES, *SHIFTS], {"lr": 0.01, "weight_decay": 0.1}),
            (optim.AdamW, ["head.weight", "head.bias"], {"lr": 0.01, "weight_decay": 2.0}),
        ],
        {},
    ),
]


def run(recipe: dict, groups: list, settings: dict) -> dict:
    model = twins.build(MODEL, IMAGE, CLASSES).double()
    parameters = dict(model.named_parameters())
    with torch.no_grad():
        for name, parameter in parameters.items():
            parameter.copy_(torch.from_numpy(formula.parameter(name, tuple(parameter.shape))))
    optimizers = [
        kind([parameters[name] for name in names], **own, **settings) for kind, names, own in groups
    ]
    for step in range(STEPS):
        for name, parameter in parameters.items():
            gradient = formula.gradient(name, step, tuple(parameter.shape))
            parameter.grad = torch.from_numpy(gradient)
        for optimizer in optimizers:
            optimizer.step()
    after = {name: parameter.flatten().tolist() for name, parameter in parameters.items()}
    return {**recipe, "steps": STEPS, "parameters": after}


def main() -> None:
    text = ",\n".join(json.dumps(run(*case)) for case in CASES)
    (twins.REFERENCE / "parameter_groups.json").write_text(f"[\n{text}\n]\n")


if __name__ == "__main__":
    main()
