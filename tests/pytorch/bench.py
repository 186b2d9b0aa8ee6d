"""Trains a twin on noise and tells how fast: PyTorch's side of `cargo xtask bench --against pytorch`.

The bench asks over stdin, one JSON object a line, and gets one back for each, as
crates/bench/src/protocol.rs describes. Between two questions nothing is computed, so that
the two sides can take turns.
"""

import argparse
import json
import math
import sys
import time
from collections.abc import Callable
from pathlib import Path

try:
    import torch
except ImportError as error:
    sys.exit(
        f"error: {sys.executable} cannot import torch ({error}); make a virtual environment by "
        "`python3 -m venv venv` and `venv/bin/pip install torch numpy`, and name it by "
        "`--python venv/bin/python`"
    )

import twins

CLASSES = 10
# As crates/training/src/speed/training.rs says.
LEARNING_RATE = 1e-6
# How long the threads of an OpenMP may spin before they sleep: GNU's a few milliseconds, LLVM's
# and Intel's 200. A process that has answered must leave the cores to the other side.
SECONDS_TO_SETTLE = 0.25
FORMATS = {"contiguous": torch.contiguous_format, "channels_last": torch.channels_last}


def image(model: str) -> twins.Image:
    """Shape of the images that an architecture is measured on."""
    return (1, 28, 28) if model in ("mlp", "lenet-bn") else (3, 32, 32)


def wait(device: torch.device) -> None:
    """Until a device that works ahead has done all that was asked for."""
    if device.type == "cuda":
        torch.cuda.synchronize()
    elif device.type == "mps":
        torch.mps.synchronize()


class Training:
    """A network that has done its first step."""

    def __init__(self, arguments: argparse.Namespace, device: torch.device):
        self.device = device
        memory_format = FORMATS[arguments.memory_format]
        shape = (arguments.batch_size, *image(arguments.model))
        torch.manual_seed(1)
        images = torch.randn(shape).to(device)
        self.images = images.contiguous(memory_format=memory_format)
        self.labels = (torch.arange(arguments.batch_size) * 7 % CLASSES).to(device)
        wait(device)

        started = time.perf_counter()
        network = twins.build({"name": arguments.model}, shape[1:], CLASSES)
        self.network = network.to(device, memory_format=memory_format)
        self.optimizer = torch.optim.Adam(self.network.parameters(), lr=LEARNING_RATE)
        self.step()
        wait(device)
        self.first_step_seconds = time.perf_counter() - started

    def step(self) -> None:
        self.optimizer.zero_grad()
        loss = torch.nn.functional.cross_entropy(self.network(self.images), self.labels)
        loss.backward()
        self.optimizer.step()

    def train(self, seconds: float) -> dict:
        self.network.train()
        return self.repeat(seconds, self.step)

    def evaluate(self, seconds: float) -> dict:
        self.network.eval()
        with torch.inference_mode():
            return self.repeat(seconds, lambda: self.network(self.images))

    def repeat(self, seconds: float, step: Callable) -> dict:
        """As crates/training/src/speed/stopwatch.rs does."""
        wait(self.device)
        started = time.perf_counter()
        done, following = 0, 1
        while True:
            for _ in range(following):
                step()
            wait(self.device)
            done += following
            elapsed = time.perf_counter() - started
            if elapsed >= seconds:
                return {"amount": done * len(self.labels), "seconds": elapsed}
            following = max(1, math.ceil((seconds - elapsed) * done / max(elapsed, 1e-9)))


def peak_memory() -> int | None:
    """The most memory in bytes that this process has had; None where the system does not tell."""
    try:
        status = Path("/proc/self/status").read_text()
    except OSError:
        return None
    peaks = [line.split() for line in status.splitlines() if line.startswith("VmHWM:")]
    return int(peaks[0][1]) * 1024 if peaks else None


def answer(training: Training, request: dict) -> dict:
    match request["measure"]:
        case "training":
            return training.train(request["seconds"])
        case "evaluation":
            return training.evaluate(request["seconds"])
        case "peak_memory":
            return {"peak_memory_bytes": peak_memory()}
        case other:
            sys.exit(f"error: `{other}` is nothing that PyTorch is measured by")


def say(message: dict) -> None:
    print(json.dumps(message), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--probe", action="store_true", help="only tell the version")
    parser.add_argument("--model", choices=twins.CATALOG, default="mlp")
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--memory-format", choices=FORMATS, default="contiguous")
    parser.add_argument("--device", choices=("cpu", "cuda", "mps"), default="cpu")
    arguments = parser.parse_args()
    device = torch.device(arguments.device)
    available = {"cuda": torch.cuda.is_available, "mps": torch.backends.mps.is_available}
    name = f"PyTorch {torch.__version__}"
    if not available.get(device.type, lambda: True)():
        sys.exit(f"error: {name} finds no device `{device.type}`; install one that was built for it")

    if arguments.probe:
        say({"name": name})
        return
    torch.set_num_threads(arguments.threads)
    training = Training(arguments, device)
    time.sleep(SECONDS_TO_SETTLE)
    say({"name": name, "first_step_seconds": training.first_step_seconds})
    for line in sys.stdin:
        measured = answer(training, json.loads(line))
        time.sleep(SECONDS_TO_SETTLE)
        say(measured)


if __name__ == "__main__":
    main()
