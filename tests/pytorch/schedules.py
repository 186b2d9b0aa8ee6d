"""Prints PyTorch's OneCycleLR, the reference of the test in crates/trainer/src/schedule.rs."""

import torch
from torch.optim import SGD
from torch.optim.lr_scheduler import OneCycleLR

TOTAL_STEPS = 20


def main() -> None:
    optimizer = SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    schedule = OneCycleLR(optimizer, max_lr=1.0, total_steps=TOTAL_STEPS)
    for step in range(TOTAL_STEPS):
        print(f"({step}, {schedule.get_last_lr()[0]!r}),")
        optimizer.step()
        if step + 1 < TOTAL_STEPS:
            schedule.step()


if __name__ == "__main__":
    main()
