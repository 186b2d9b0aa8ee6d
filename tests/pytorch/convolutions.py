"""Convolutions and their gradients -> tests/reference/convolutions.json.

Images, weights, biases and the coefficients of the outputs, whose weighted sum is differentiated, are
by formula. The reference is computed in double precision; ten digits of it are kept.
"""

import json

import torch
from torch.nn import functional

import formula
import twins

DIGITS = 10

# Batch, height and width, input channels, output channels, kernel, stride, padding.
SHAPES = [
    (1, (5, 7), 3, 5, (3, 3), (1, 1), (1, 1)),
    (2, (5, 7), 2, 17, (3, 3), (2, 2), (1, 1)),
    (2, (1, 1), 6, 3, (3, 3), (1, 1), (1, 1)),
    (3, (1, 1), 5, 4, (1, 1), (1, 1), (0, 0)),
    (1, (9, 8), 1, 4, (7, 7), (1, 1), (3, 3)),
    (2, (7, 7), 3, 2, (7, 7), (2, 2), (3, 3)),
    (1, (6, 5), 4, 3, (2, 3), (1, 2), (0, 1)),
    (2, (7, 4), 2, 6, (5, 5), (3, 1), (2, 3)),
    (1, (4, 4), 16, 8, (1, 1), (2, 2), (0, 0)),
    (1, (3, 5), 12, 7, (3, 3), (1, 1), (0, 0)),
    (5, (3, 2), 1, 1, (2, 2), (3, 3), (2, 1)),
    (1, (1, 11), 2, 3, (1, 5), (1, 1), (0, 2)),
]


def by_formula(name: str, shape: tuple[int, ...]) -> torch.Tensor:
    values = torch.from_numpy(formula.values(name, torch.Size(shape).numel()))
    return values.reshape(shape).requires_grad_()


def run(number: int) -> dict:
    batch, image, inputs, outputs, kernel, stride, padding = SHAPES[number]
    images = by_formula(f"images {number}", (batch, inputs, *image))
    weight = by_formula(f"weight {number}", (outputs, inputs, *kernel))
    bias = by_formula(f"bias {number}", (outputs,))
    output = functional.conv2d(images, weight, bias, stride=stride, padding=padding)
    coefficients = by_formula(f"coefficients {number}", tuple(output.shape))
    (output * coefficients).sum().backward()
    return {
        "images": list(images.shape),
        "weight": list(weight.shape),
        "stride": stride,
        "padding": padding,
        "output_shape": list(output.shape),
        "output": numbers(output),
        "images_gradient": numbers(images.grad),
        "weight_gradient": numbers(weight.grad),
        "bias_gradient": numbers(bias.grad),
    }


def numbers(tensor: torch.Tensor) -> list[float]:
    return [float(f"{x:.{DIGITS}g}") for x in tensor.flatten().tolist()]


def main() -> None:
    text = ",\n".join(json.dumps(run(number)) for number in range(len(SHAPES)))
    (twins.REFERENCE / "convolutions.json").write_text(f"[\n{text}\n]\n")


if __name__ == "__main__":
    main()
