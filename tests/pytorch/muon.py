"""Muon in double precision, and parameters after five of its steps -> tests/reference/muon.json.

Gradients are numbers by formula, so that they depend on the step only. PyTorch's own `torch.optim.Muon` takes the same
steps of the matrices that it takes at all, those of two dimensions; it computes in bfloat16, and where both apply the
two must agree to what that leaves.
"""

import json
import math

import torch
from torch import optim

import formula
import twins

STEPS = 5

# Parameters by name: convolutions of fewer and of more outputs than inputs, linear layers of both kinds, and what is no
# matrix.
SHAPES = {
    "wide.weight": (4, 3, 3, 3),
    "wide.bias": (4,),
    "tall.weight": (12, 2, 2, 2),
    "tall.bias": (12,),
    "wide_linear.weight": (5, 9),
    "wide_linear.bias": (5,),
    "tall_linear.weight": (10, 4),
    "tall_linear.bias": (10,),
    "norm.weight": (3,),
    "norm.bias": (3,),
}

# The difference of the steps of PyTorch's own, which has eight bits of a number, as a share of them.
BFLOAT16 = 0.03


def orthogonal(u: torch.Tensor, iterations: int) -> torch.Tensor:
    """Singular values of a matrix moved to about 1."""
    if u.shape[0] > u.shape[1]:
        return orthogonal(u.T, iterations).T
    x = u / (torch.linalg.matrix_norm(u) + 1e-7)
    for _ in range(iterations):
        gram = x @ x.T
        x = 3.4445 * x + (-4.7750 * gram + 2.0315 * gram @ gram) @ x
    return x


class Muon(optim.Optimizer):
    """Muon for matrices, Nesterov's momentum for the rest at `others_rate` times the rate."""

    def __init__(
        self,
        params,
        lr: float,
        weight_decay: float = 0.0,
        mode: str = "decoupled",
        momentum: float = 0.95,
        iterations: int = 5,
        scale: str = "shape",
        weights: str = "free",
        others_rate: float = 1.0,
    ):
        settings = dict(lr=lr, weight_decay=weight_decay, mode=mode, momentum=momentum)
        settings |= dict(iterations=iterations, scale=scale, weights=weights, others_rate=others_rate)
        super().__init__(params, settings)

    @torch.no_grad()
    def step(self) -> None:
        for group in self.param_groups:
            for w in group["params"]:
                self.move(w, w.grad, group)

    def move(self, w: torch.Tensor, g: torch.Tensor, group: dict) -> None:
        is_matrix = w.ndim >= 2
        if is_matrix and group["weights"] == "sphere":
            w.mul_(math.sqrt(len(w)) / w.norm())
        decay, rate = group["weight_decay"], group["lr"]
        if group["mode"] == "coupled":
            g = g + decay * w
            decay = 0.0
        v = self.state[w].setdefault("momentum", torch.zeros_like(w))
        v.mul_(group["momentum"]).add_(g)
        u = g + group["momentum"] * v
        if is_matrix:
            step = orthogonal(u.reshape(len(u), -1), group["iterations"]).reshape(u.shape)
            if group["scale"] == "shape":
                step = step * math.sqrt(max(1.0, len(w) ** 2 / w.numel()))
        else:
            step, rate = u, rate * group["others_rate"]
        w.mul_(1.0 - rate * decay).sub_(rate * step)


def parameters() -> dict[str, torch.Tensor]:
    return {name: torch.from_numpy(formula.parameter(name, shape)) for name, shape in SHAPES.items()}


def gradient(name: str, step: int) -> torch.Tensor:
    """Of all but the last step, so that one is taken by momentum alone."""
    values = torch.from_numpy(formula.gradient(name, step, SHAPES[name]))
    return values if step < STEPS - 1 else torch.zeros_like(values)


def train(optimizer: optim.Optimizer, parameters: dict[str, torch.Tensor]) -> None:
    for step in range(STEPS):
        for name, parameter in parameters.items():
            parameter.grad = gradient(name, step).to(parameter.dtype)
        optimizer.step()


def decays(name: str) -> bool:
    return len(SHAPES[name]) > 1


def run(lr: float, decay: float = 0.0, mode: str = "decoupled", **settings) -> dict:
    values = parameters()
    groups = [
        {"params": [value for name, value in values.items() if decays(name)], "weight_decay": decay},
        {"params": [value for name, value in values.items() if not decays(name)]},
    ]
    train(Muon(groups, lr=lr, mode=mode, **settings), values)
    return {
        "optimizer": {"name": "muon", **settings},
        "learning_rate": lr,
        "weight_decay": {"strength": decay, "mode": mode},
        "steps": STEPS,
        "parameters": {name: value.flatten().tolist() for name, value in values.items()},
        "of_pytorch": {},
    }


def compare_with_pytorch(case: dict) -> None:
    """Adds the matrices as `torch.optim.Muon` leaves them, of 32-bit floats."""
    start = {name: value for name, value in parameters().items() if value.ndim == 2}
    values = {name: value.float() for name, value in start.items()}
    settings = {"lr": case["learning_rate"], "weight_decay": case["weight_decay"]["strength"]}
    train(optim.Muon(list(values.values()), momentum=0.95, **settings), values)
    for name, value in values.items():
        ours = torch.tensor(case["parameters"][name], dtype=torch.float64).reshape(value.shape)
        off = ((value.double() - ours).norm() / (ours - start[name]).norm()).item()
        print(f"{name}: torch.optim.Muon is {off:.4f} of the way off")
        assert off < BFLOAT16, name
        case["of_pytorch"][name] = value.flatten().tolist()


def main() -> None:
    usual = run(lr=0.02, decay=0.1)
    compare_with_pytorch(usual)
    cases = [
        usual,
        # As the speed runs on CIFAR-10 of Muon's authors have it.
        run(lr=0.24, momentum=0.6, iterations=3, scale="one", weights="sphere"),
        run(lr=0.05, decay=0.1, mode="coupled", momentum=0.9, scale="one", others_rate=0.25),
    ]
    text = ",\n".join(json.dumps(case) for case in cases)
    (twins.REFERENCE / "muon.json").write_text(f"[\n{text}\n]\n")


if __name__ == "__main__":
    main()
