"""Prints PyTorch's OneCycleLR, CosineAnnealingLR and LinearLR, the references of the tests in
crates/training/src/optimize/schedule/mod.rs."""

import torch
from torch.optim import SGD
from torch.optim.lr_scheduler import CosineAnnealingLR, LinearLR, LRScheduler, OneCycleLR


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
    # Up from 0.2 of the peak, down to 0.07.
    straight = {"max_lr": 1.0, "total_steps": 20, "anneal_strategy": "linear"}
    straight |= {"div_factor": 1 / 0.2, "final_div_factor": 0.2 / 0.07}
    for warmup in (0.3, 0.33):
        print()
        rates(OneCycleLR(optimizer(), pct_start=warmup, **straight), 20)
    print()
    rates(LinearLR(optimizer(), start_factor=1.0, end_factor=0.1, total_iters=9), 10)


if __name__ == "__main__":
    main()
