"""Parameters after five steps with each regularizer of weights -> tests/reference/regularizers.json.

A small multilayer perceptron and cross-entropy, so that the gradients depend on the weights. The
reference is computed in double precision.
"""

import json

import torch
from torch import nn
from torch.nn.functional import cross_entropy
from torch.optim.swa_utils import AveragedModel

import formula
import twins

IMAGE = (1, 2, 3)
CLASSES = 10
BATCH = 3
STEPS = 5
LEARNING_RATE = 0.5
MODEL = {"name": "mlp", "hidden": [6], "dropout": 0.0}
# Setting of the recipe -> its strength; for Lookahead after every second step, for SWA in epochs of two steps.
STRENGTHS = {"sam": 0.5, "l1": 0.01, "max_norm": 1.0, "ema": 0.3, "lookahead": 0.4, "swa": 1}


def network() -> nn.Module:
    model = twins.build(MODEL, IMAGE, CLASSES).double()
    with torch.no_grad():
        for key, parameter in model.named_parameters():
            parameter.copy_(torch.from_numpy(formula.parameter(key, tuple(parameter.shape))))
    return model


def loss(model: nn.Module, step: int) -> torch.Tensor:
    shape = (BATCH, *IMAGE)
    images = torch.from_numpy(formula.values(f"images {step}", torch.Size(shape).numel()))
    return cross_entropy(model(images.reshape(shape)), torch.from_numpy(formula.labels(BATCH, CLASSES)))


def sam_gradient(model: nn.Module, step: int, rho: float) -> None:
    """Leaves the gradient at the perturbed weights on the parameters."""
    model.zero_grad()
    loss(model, step).backward()
    norm = torch.stack([p.grad.norm() for p in model.parameters()]).norm()
    moves = [rho * p.grad / norm for p in model.parameters()]
    with torch.no_grad():
        for parameter, move in zip(model.parameters(), moves, strict=True):
            parameter.add_(move)
    model.zero_grad()
    loss(model, step).backward()
    with torch.no_grad():
        for parameter, move in zip(model.parameters(), moves, strict=True):
            parameter.sub_(move)


def run(name: str) -> dict:
    strength = STRENGTHS[name]
    model = network()
    optimizer = torch.optim.SGD(model.parameters(), lr=LEARNING_RATE)
    slow = [p.detach().clone() for p in model.parameters()]
    # The warm-up of the decay as TensorFlow's; AveragedModel counts the copy it starts from.
    average = AveragedModel(
        model,
        avg_fn=lambda a, w, n: (d := min(strength, (1 + n) / (10 + n))) * a + (1 - d) * w,
    )
    average.update_parameters(model)
    epochs = AveragedModel(model, use_buffers=True)
    for step in range(STEPS):
        if name == "sam":
            sam_gradient(model, step, strength)
        else:
            model.zero_grad()
            loss(model, step).backward()
        weights = [p for p in model.parameters() if p.dim() > 1]
        if name == "l1":
            for p in weights:
                p.grad += strength * p.detach().sign()
        optimizer.step()
        with torch.no_grad():
            if name == "max_norm":
                for p in weights:
                    p.copy_(p.renorm(2, 0, strength))
            if name == "lookahead" and (step + 1) % 2 == 0:
                for p, s in zip(model.parameters(), slow, strict=True):
                    s += strength * (p - s)
                    p.copy_(s)
        average.update_parameters(model)
        if (step + 1) % 2 == 0:
            epochs.update_parameters(model)
    # The fifth step comes after the last look, and counts all the same.
    looked = [s + strength * (p.detach() - s) for p, s in zip(model.parameters(), slow, strict=True)]
    averages = {"ema": list(average.parameters()), "lookahead": looked, "swa": list(epochs.parameters())}
    kept = averages.get(name, list(model.parameters()))
    names = [key for key, _ in model.named_parameters()]
    values = {key: p.flatten().tolist() for key, p in zip(names, kept, strict=True)}
    return {"setting": name, "strength": strength, "steps": STEPS, "parameters": values}


def main() -> None:
    text = ",\n".join(json.dumps(run(name)) for name in STRENGTHS)
    (twins.REFERENCE / "regularizers.json").write_text(f"[\n{text}\n]\n")


if __name__ == "__main__":
    main()
