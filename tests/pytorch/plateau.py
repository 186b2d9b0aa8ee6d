"""Prints PyTorch's ReduceLROnPlateau, the reference of the test in crates/training/src/optimize/plateau.rs."""

import math

import torch
from torch.optim import SGD
from torch.optim.lr_scheduler import ReduceLROnPlateau

# Better, better by exactly the threshold, by less in small steps, worse, not a number, better again.
LOSSES = [1.0, 0.75, 0.625, 0.6, 0.55, 0.5, 0.7, math.nan, 0.6, 0.2, 0.3]
LOSSES += [0.3, 0.3, 0.3, 0.3, 0.3, 0.3, 0.3, 0.3, 0.05, 0.06]


def main() -> None:
    optimizer = SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    schedule = ReduceLROnPlateau(
        optimizer,
        mode="min",
        factor=0.5,
        patience=2,
        threshold=0.125,
        threshold_mode="abs",
        min_lr=0.2,
    )
    for loss in LOSSES:
        schedule.step(loss)
        print(f"({loss}, {optimizer.param_groups[0]['lr']!r}),")


if __name__ == "__main__":
    main()
