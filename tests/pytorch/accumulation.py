"""Prints gradients that PyTorch accumulates over batches of several sizes, the reference of the test in
crates/training/src/optimize/gradients.rs."""

import torch

# The images of three batches; of each batch the gradient is their mean: 1, 2 and 6.
SIZES = [[2, 2, 1], [1, 1, 2]]
MEANS = [1.0, 2.0, 6.0]


def images(sizes: list[int]) -> list[torch.Tensor]:
    def around(mean: float, size: int) -> torch.Tensor:
        return mean + torch.linspace(-0.5, 0.5, size, dtype=torch.float64) if size > 1 else torch.tensor([mean], dtype=torch.float64)

    return [around(mean, size) for mean, size in zip(MEANS, sizes)]


def gradient(batches: list[torch.Tensor]) -> float:
    weight = torch.zeros(1, dtype=torch.float64, requires_grad=True)
    total = sum(len(batch) for batch in batches)
    for batch in batches:
        # The mean over the batch, counted by its share of the images.
        loss = (weight * batch).mean() * (len(batch) / total)
        loss.backward()
    return weight.grad.item()


def main() -> None:
    for sizes in SIZES:
        batches = images(sizes)
        print(sizes, gradient(batches), "as one batch", gradient([torch.cat(batches)]))


if __name__ == "__main__":
    main()
