"""Loss and gradient norms of a first training step -> tests/reference/first_step.json.

Weights, images and labels are given by formula.py; the same are computed in tests/src/formula.rs.
The reference is computed in double precision. Single precision must give the same to within
ROUNDING: where it does not, an activation lies so close to ReLU's kink that rounding decides.
"""

import json
import math

import torch
from torch.nn.functional import cross_entropy

import formula
import twins

CLASSES = 10
ROUNDING = 1e-5
# No dropout: its masks cannot be the same. All other settings are the defaults.
# The deep networks get few, small images: among millions of activations one is always at the kink.
CASES = [
    ({"name": "mlp", "dropout": 0.0}, (8, 1, 28, 28)),
    ({"name": "mlp", "dropout": 0.0, "batch_norm": True}, (8, 1, 28, 28)),
    ({"name": "cnn", "dropout": 0.0}, (8, 3, 32, 32)),
    ({"name": "cnn", "dropout": 0.0, "batch_norm": True}, (8, 3, 32, 32)),
    ({"name": "lenet-bn", "dropout": 0.0}, (8, 1, 28, 28)),
    ({"name": "cifarnet", "widths": [16, 32, 32]}, (8, 3, 28, 35)),
    ({"name": "resnet18"}, (4, 3, 12, 16)),
    ({"name": "resnet20"}, (4, 3, 12, 16)),
    # With batch normalization its 50 layers magnify rounding a thousand times, in PyTorch too.
    ({"name": "resnet50", "batch_norm": False}, (4, 3, 8, 12)),
    ({"name": "resnet18", "stem": "imagenet"}, (4, 3, 35, 52)),
]


def first_step(model: dict, shape: tuple[int, ...], dtype: torch.dtype) -> dict[str, float]:
    """The loss, and the norm of the gradient of every parameter."""
    network = twins.build(model, shape[1:], CLASSES).to(dtype).train()
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            parameter.copy_(torch.from_numpy(formula.parameter(name, tuple(parameter.shape))))
    images = torch.from_numpy(formula.values("images", math.prod(shape))).reshape(shape).to(dtype)
    labels = torch.from_numpy(formula.labels(shape[0], CLASSES))
    loss = cross_entropy(network(images), labels)
    loss.backward()
    norms = {name: p.grad.double().norm().item() for name, p in network.named_parameters()}
    return {"loss": loss.item()} | norms


def reference(model: dict, shape: tuple[int, ...]) -> dict:
    exact = first_step(model, shape, torch.float64)
    single = first_step(model, shape, torch.float32)
    zero = 1e-6 * max(exact.values())
    for name, value in exact.items():
        difference = abs(single[name] - value)
        assert difference <= ROUNDING * value + zero, f"{model['name']} {name}: {difference}"
    loss = exact.pop("loss")
    return {"model": model, "shape": shape, "loss": loss, "gradient_norms": exact}


def main() -> None:
    cases = [reference(model, shape) for model, shape in CASES]
    text = json.dumps(cases, indent=1)
    (twins.REFERENCE / "first_step.json").write_text(text + "\n")


if __name__ == "__main__":
    main()
