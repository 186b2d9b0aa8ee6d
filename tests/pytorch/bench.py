"""Trains a twin on noise and tells how fast: PyTorch's side of `cargo xtask bench --against pytorch`.

The bench asks over stdin, one JSON object a line, and gets one back for each, as
crates/bench/src/protocol.rs describes. Between two questions nothing is computed, so that
the two sides can take turns.
"""

import argparse
import contextlib
import dataclasses
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


@dataclasses.dataclass
class Way:
    """How PyTorch computes; crates/bench/src/way.rs says what each is."""

    channels_last: bool = True
    tf32: bool = False
    autocast: bool = False
    graph: bool = False
    compiled: bool = False


WAYS = {
    "contiguous": Way(channels_last=False),
    "channels_last": Way(),
    "tf32": Way(tf32=True),
    "bfloat16": Way(autocast=True),
    "graph": Way(graph=True),
    "compiled": Way(compiled=True),
}


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
        self.way = WAYS[arguments.way]
        torch.backends.cuda.matmul.allow_tf32 = self.way.tf32
        torch.backends.cudnn.allow_tf32 = self.way.tf32
        memory_format = torch.channels_last if self.way.channels_last else torch.contiguous_format
        shape = (arguments.batch_size, *image(arguments.model))
        torch.manual_seed(1)
        images = torch.randn(shape).to(device)
        self.images = images.contiguous(memory_format=memory_format)
        self.graphs = {}
        self.labels = (torch.arange(arguments.batch_size) * 7 % CLASSES).to(device)
        wait(device)

        started = time.perf_counter()
        network = twins.build({"name": arguments.model}, shape[1:], CLASSES)
        self.network = network.to(device, memory_format=memory_format)
        self.forward = torch.compile(self.network) if self.way.compiled else self.network
        parameters = self.network.parameters()
        self.optimizer = torch.optim.Adam(parameters, lr=LEARNING_RATE, capturable=self.way.graph)
        self.step()
        wait(device)
        self.first_step_seconds = time.perf_counter() - started

    def step(self) -> None:
        self.optimizer.zero_grad()
        with self.autocast():
            loss = torch.nn.functional.cross_entropy(self.forward(self.images), self.labels)
        loss.backward()
        self.optimizer.step()

    def autocast(self) -> contextlib.AbstractContextManager:
        """Costs nothing where it is not the way."""
        if self.way.autocast:
            return torch.autocast(self.device.type, torch.bfloat16)
        return contextlib.nullcontext()

    def train(self, seconds: float) -> dict:
        self.network.train()
        return self.repeat(seconds, self.launched("train", self.step))

    def evaluate(self, seconds: float) -> dict:
        self.network.eval()
        with torch.inference_mode(), self.autocast():
            look = self.launched("evaluate", lambda: self.forward(self.images))
            return self.repeat(seconds, look)

    def launched(self, name: str, step: Callable) -> Callable:
        """The step, or what launches it as a whole if that is the way."""
        if not self.way.graph:
            return step
        if name not in self.graphs:
            # What is recorded must have been done before, on a stream of its own.
            side = torch.cuda.Stream()
            side.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(side):
                for _ in range(3):
                    step()
            torch.cuda.current_stream().wait_stream(side)
            self.graphs[name] = torch.cuda.CUDAGraph()
            with torch.cuda.graph(self.graphs[name]):
                step()
        return self.graphs[name].replay

    def card(self) -> dict:
        """What a training step launches, a graph once, and the most memory that was set aside."""
        if self.device.type != "cuda":
            return {"launches_of_a_step": None, "reserved_bytes": None}
        self.network.train()
        step = self.launched("train", self.step)
        wait(self.device)
        activities = [torch.profiler.ProfilerActivity.CUDA, torch.profiler.ProfilerActivity.CPU]
        with torch.profiler.profile(activities=activities) as profile:
            step()
            wait(self.device)
        launches = ("cudaLaunchKernel", "cuLaunchKernel", "cudaGraphLaunch", "cuGraphLaunch")
        launches = [event for event in profile.events() if event.name.startswith(launches)]
        return {
            "launches_of_a_step": len(launches),
            "reserved_bytes": torch.cuda.max_memory_reserved(self.device),
        }

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
        case "card":
            return training.card()
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
    parser.add_argument("--way", choices=WAYS, default="contiguous")
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
