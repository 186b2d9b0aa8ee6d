"""SiLU by itself and behind layers, with its gradients -> tests/reference/silu.json.

Inputs, parameters and the coefficients of the outputs, whose weighted sum is differentiated, are by
formula. The reference is computed in double precision; ten digits of it are kept.
"""

import json

import torch
from torch import Tensor
from torch.nn import functional

import twins
from convolutions import by_formula, numbers

# Beside numbers in [-8, 8): where the exponential function leaves the range of 32-bit floats.
EXTREMES = [0.0, 16.0, -16.0, 50.0, -50.0, 87.0, -87.0, 88.5, -88.5, 100.0, -100.0]

# Batch, channels, height, width: fewer numbers than a part of a normalization, and a last vector that is not full.
IMAGES = (3, 5, 4, 7)
EPSILON = 1e-5


def differentiated(name: str, output: Tensor, leaves: dict[str, Tensor]) -> dict:
    coefficients = by_formula(f"{name} coefficients", tuple(output.shape)).detach()
    (output * coefficients).sum().backward()
    gradients = {leaf: numbers(leaves[leaf].grad) for leaf in leaves}
    return {"output": numbers(output), "gradients": gradients}


def by_itself() -> dict:
    x = torch.cat([8.0 * by_formula("silu x", (64,)).detach(), torch.tensor(EXTREMES).double()])
    x.requires_grad_()
    y = functional.silu(x)
    y.sum().backward()
    return {"x": x.tolist(), "output": numbers(y), "slope": numbers(x.grad)}


def normalization(training: bool, with_residual: bool) -> dict:
    name = f"silu {'training' if training else 'evaluation'} {'with' if with_residual else 'without'}"
    channels = (IMAGES[1],)
    leaves = {"x": by_formula(f"{name} x", IMAGES)}
    leaves |= {of: by_formula(f"{name} {of}", channels) for of in ("gamma", "beta")}
    mean = by_formula(f"{name} mean", channels).detach()
    variance = by_formula(f"{name} variance", channels).detach().abs() + 0.25
    moments = (mean.clone(), variance.clone())
    y = functional.batch_norm(
        leaves["x"], *moments, leaves["gamma"], leaves["beta"], training, 0.1, EPSILON
    )
    if with_residual:
        leaves["residual"] = by_formula(f"{name} residual", IMAGES)
        y = y + leaves["residual"]
    return differentiated(name, functional.silu(y), leaves) | {"name": name, "training": training}


def convolution() -> dict:
    leaves = {
        "x": by_formula("silu convolution x", (2, 3, 6, 5)),
        "weight": by_formula("silu convolution weight", (7, 3, 3, 3)),
        "bias": by_formula("silu convolution bias", (7,)),
    }
    y = functional.conv2d(leaves["x"], leaves["weight"], leaves["bias"], padding=1)
    return differentiated("silu convolution", functional.silu(y), leaves)


def linear() -> dict:
    leaves = {
        "x": by_formula("silu linear x", (4, 9)),
        "weight": by_formula("silu linear weight", (11, 9)),
        "bias": by_formula("silu linear bias", (11,)),
    }
    y = functional.linear(leaves["x"], leaves["weight"], leaves["bias"])
    return differentiated("silu linear", functional.silu(y), leaves)


def main() -> None:
    normalizations = [normalization(t, r) for t in (True, False) for r in (False, True)]
    reference = {
        "by_itself": by_itself(),
        "normalizations": normalizations,
        "convolution": convolution(),
        "linear": linear(),
    }
    text = ",\n".join(f"{json.dumps(key)}: {json.dumps(it)}" for key, it in reference.items())
    (twins.REFERENCE / "silu.json").write_text(f"{{\n{text}\n}}\n")


if __name__ == "__main__":
    main()
