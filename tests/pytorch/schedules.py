"""Prints PyTorch's OneCycleLR and CosineAnnealingLR, the references of the tests in
crates/training/src/optimize/schedule.rs."""

import torch
from torch.optim import SGD
from torch.optim.lr_scheduler import CosineAnnealingLR, LRScheduler, OneCycleLR


def rates(schedule: LRScheduler, steps: int) -> None:
    for step in range(steps):
        print(f"({step}, {schedule.get_last_lr()[0]!r}),")
        schedule.optimizer.step()
        if step + 1 < steps:
            schedule.step()


def optimizer() -> SGD:
    return SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)


def main() -> None:
    rates(OneCycleLR(optimizer(), max_lr=1.0, total_steps=20), 20)
    print()
    rates(CosineAnnealingLR(optimizer(), T_max=9, eta_min=0.1), 10)


if __name__ == "__main__":
    main()
