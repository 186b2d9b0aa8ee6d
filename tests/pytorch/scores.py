"""Prints the scores of six answers, for the tests in crates/training/src/evaluate/."""

import torch

LOGITS = torch.tensor(
    [
        [2.0, 1.0, 0.5, -1.0],
        [0.0, 3.0, 1.5, 0.25],
        [1.0, 2.5, 2.0, -0.5],
        [-1.0, 0.5, 0.25, 4.0],
        [1.5, 0.0, -2.0, 1.25],
        [0.5, 0.75, 3.5, 0.0],
    ],
    dtype=torch.float64,
)
LABELS = torch.tensor([0, 1, 2, 3, 3, 0])


def fit_temperature() -> torch.Tensor:
    """Minimizes the cross-entropy as Guo et al. do, by L-BFGS over the temperature."""
    temperature = torch.ones(1, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS(
        [temperature], max_iter=500, tolerance_grad=1e-14, tolerance_change=1e-16,
        line_search_fn="strong_wolfe",
    )

    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        loss = torch.nn.functional.cross_entropy(LOGITS / temperature, LABELS)
        loss.backward()
        return loss

    optimizer.step(closure)
    return temperature.detach()


def main() -> None:
    probabilities = LOGITS.softmax(1)
    one_hot = torch.nn.functional.one_hot(LABELS, 4).double()
    temperature = fit_temperature()
    scaled = torch.nn.functional.cross_entropy(LOGITS / temperature, LABELS)
    print("NLL", torch.nn.functional.cross_entropy(LOGITS, LABELS).item())
    print("BRIER", (probabilities - one_hot).square().sum(1).mean().item())
    print("ENTROPY", torch.distributions.Categorical(logits=LOGITS).entropy().mean().item())
    print("TEMPERATURE", temperature.item())
    print("SCALED_NLL", scaled.item())


if __name__ == "__main__":
    main()
