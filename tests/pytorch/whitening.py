"""Prints eigenvalues, eigenvectors and whitening filters, for the tests in crates/models/src/symmetric_eigen.rs and
whitening.rs."""

import torch

EPSILON = 5e-4


def mixed(size: int) -> torch.Tensor:
    """The matrix that the tests of symmetric_eigen.rs call by that name."""

    def entry(i: int, j: int) -> float:
        low, high = min(i, j), max(i, j)
        return (low * 31 + high * 17 + low * high * 7) % 41 / 20 - 1

    return torch.tensor([[entry(i, j) for j in range(size)] for i in range(size)], dtype=torch.float64)


def images(count: int, channels: int, height: int, width: int) -> torch.Tensor:
    """The images that the tests of whitening.rs call by that name."""
    values = [(i * 37 + i * i * 11 + 5) % 101 for i in range(count * channels * height * width)]
    values = torch.tensor(values, dtype=torch.float32) / 50 - 1
    return values.double().reshape(count, channels, height, width)


def spectrum(matrix: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Eigenvalues in descending order, and a row for each with its eigenvector, whose largest entry is positive."""
    values, vectors = torch.linalg.eigh(matrix)
    values, vectors = values.flip(0), vectors.T.flip(0)
    peaks = vectors.gather(1, vectors.abs().argmax(1, keepdim=True))
    return values, vectors * peaks.sign()


def filters(pictures: torch.Tensor, kernel: int) -> torch.Tensor:
    """A filter a row, in descending order of the variance along it."""
    patches = torch.nn.functional.unfold(pictures, kernel).transpose(1, 2).flatten(0, 1)
    values, vectors = spectrum(patches.T @ patches / len(patches))
    return vectors / (values + EPSILON).sqrt()[:, None]


def rows(name: str, table: torch.Tensor, digits: int) -> None:
    print(name)
    for row in table:
        print("    [" + ", ".join(f"{value:.{digits}g}" for value in row.tolist()) + "],")


def main() -> None:
    values, vectors = spectrum(mixed(5))
    rows("VALUES", values[None], 17)
    rows("VECTORS", vectors, 17)
    rows("FILTERS", filters(images(2, 2, 4, 5), 2), 8)


if __name__ == "__main__":
    main()
