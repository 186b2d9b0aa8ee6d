"""What `backburn export` writes, in the hands of others: `exports.py PROGRAM`, in an empty folder.

For every architecture, with and without what can be chosen:
- onnx accepts the graphs by its strictest check; there is no Transpose in them, the batch is of any size, and the same run
  gives the same bytes;
- onnxruntime gives the logits of the program (its `--test-data`) for 1, 7 and 128 images, also with batch normalization
  folded, and its probabilities from bytes;
- PyTorch loads the .pt with `weights_only=True` into the generated network, strictly, with the same logits, and the safetensors
  file has the same tensors;
- trained further by PyTorch and by the program, from the program's weights and from PyTorch's, the losses of the first
  steps are the same;
- onnxruntime is as fast with our graph as with that of `torch.onnx` of the same network.

Exits with 1 at the first difference. Ratios of speed are judged unless ONNX_SPEED is `report`.
"""

import copy
import csv
import importlib.util
import json
import logging
import os
import struct
import subprocess
import sys
import time
import zlib
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch
from onnx import numpy_helper
from safetensors.numpy import load_file

CLASSES = 10
SIDE = 32
EACH = 3  # training pictures of a class
# Logits, as a share of the largest one.
TOLERANCE = 1e-4
# Losses against PyTorch's in double precision. Deep networks carry rounding on from step to step, PyTorch's own in single
# precision too: later losses may be as far off as ROUNDING times that.
FIRST_LOSS, LATER_LOSS, ROUNDING = 1e-5, 1e-4, 5.0
STEPS = 3
RATE = 0.01
LEAST_SPEED = 0.95
BATCHES = (1, 7, 128)
THREADS = int(os.environ.get("ONNX_THREADS", "2"))

PLAIN = ("--dropout", "0")
CASES = {
    "mlp": ("mlp", "--hidden", "64,32", *PLAIN),
    "mlp-batch-norm": ("mlp", "--hidden", "64,32", "--batch-norm", "on", *PLAIN),
    "cnn": ("cnn", "--widths", "8,16,24", "--batch-norm", "off", *PLAIN),
    "cnn-batch-norm": ("cnn", "--widths", "8,16,24", "--batch-norm", "on", *PLAIN),
    "cnn-dropout": ("cnn", "--widths", "8,16", "--dropout", "0.3", "--spatial-dropout", "0.1"),
    "lenet-bn": ("lenet-bn", *PLAIN),
    "resnet18": ("resnet18",),
    "resnet18-imagenet": ("resnet18", "--stem", "imagenet"),
    "resnet18-plain": ("resnet18", "--batch-norm", "off"),
    "resnet20": ("resnet20",),
    "resnet20-depth": ("resnet20", "--stochastic-depth", "0.3", "--dropout", "0.2"),
    "resnet32": ("resnet32",),
    "resnet34": ("resnet34",),
    "resnet44": ("resnet44",),
    "resnet50": ("resnet50",),
    "resnet56": ("resnet56",),
    "cifarnet": ("cifarnet", "--set", "model.widths=[8,16,24]"),
}
# What draws while it trains cannot train the same elsewhere.
DRAWS = {"cnn-dropout", "resnet20-depth"}
# Eighteen layers that nothing normalizes diverge by steps that suit the others, and where the last maps are a pixel
# such steps overshoot, so that rounding grows a hundredfold in one.
RATES = {"resnet18-plain": RATE / 1000, "resnet18-imagenet": RATE / 10}
SLOW = {"resnet34", "resnet44", "resnet50", "resnet56"}  # other sizes of networks that are trained already
SPEED = ("mlp", "cnn-batch-norm", "lenet-bn", "resnet18", "resnet20", "resnet50")


def png(path: Path, pixels: np.ndarray) -> None:
    """Writes an 8-bit colour picture, [height, width, 3]."""
    height, width, _ = pixels.shape

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = b"".join(b"\0" + row.tobytes() for row in pixels)
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    body = chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + body)


def draw() -> tuple[np.ndarray, np.ndarray]:
    """Pictures of ten classes in `pictures`; gives the training ones, [images, 3, side, side], and their labels."""
    generator = np.random.default_rng(1)
    images, labels = [], []
    for part, count in (("train", EACH), ("valid", 2), ("test", 2)):
        for label in range(CLASSES):
            folder = Path("pictures") / part / f"class{label}"
            folder.mkdir(parents=True)
            for number in range(count):
                pixels = generator.integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)
                pixels[3 * label : 3 * label + 3, label:] //= 4
                png(folder / f"{number}.png", pixels)
                if part == "train":
                    images.append(pixels.transpose(2, 0, 1))
                    labels.append(label)
    return np.stack(images), np.array(labels)


def rate(name: str) -> float:
    return RATES.get(name, RATE)


def run(*arguments: str) -> None:
    done = subprocess.run([PROGRAM, *arguments], capture_output=True, text=True)
    assert done.returncode == 0, f"{' '.join(arguments)}\n{done.stdout}{done.stderr}"


def train(name: str, out: str, epochs: int, *more: str) -> None:
    model, *settings = CASES[name]
    run(
        *("train", "pictures", "--model", model, *settings, "--out", out, "--epochs", str(epochs)),
        *("--batch-size", str(EACH * CLASSES), "--learning-rate", str(rate(name)), "--schedule", "constant"),
        *("--optimizer", "sgd", "--weight-decay", "0", "--augment", "none", "--keep", "last"),
        *("--normalization", "unit", "--seed", "3", "--threads", str(THREADS), *more),
    )


def export(name: str, form: str, folder: str, *more: str) -> Path:
    """Exports twice and compares the bytes."""
    ending = {"onnx": "onnx", "torch": "pt", "safetensors": "safetensors"}[form]
    places = []
    for time_ in ("first", "again"):
        place = Path(name) / time_ / folder
        place.mkdir(parents=True, exist_ok=True)
        out = place / f"network.{ending}"
        run("export", f"runs/{name}", "--format", form, "--out", str(out), *more)
        places.append(place)
    first, again = ([p for p in sorted(place.rglob("*")) if p.is_file()] for place in places)
    assert len(first) == len(again) > 0
    for a, b in zip(first, again):
        assert a.read_bytes() == b.read_bytes(), f"{a} differs when it is written again"
    return places[0] / f"network.{ending}"


def tensor(path: Path) -> np.ndarray:
    found = onnx.TensorProto()
    found.ParseFromString(path.read_bytes())
    # A copy, which PyTorch may write to.
    return numpy_helper.to_array(found).copy()


def test_data(model: Path) -> tuple[np.ndarray, np.ndarray]:
    folder = Path(f"{model}.test_data_set_0")
    return tensor(folder / "input_0.pb"), tensor(folder / "output_0.pb")


def session(model: Path, threads: int) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])


def apart(found: np.ndarray, expected: np.ndarray) -> float:
    assert found.shape == expected.shape, (found.shape, expected.shape)
    return float(np.abs(found - expected).max() / np.abs(expected).max())


def near(what: str, found: np.ndarray, expected: np.ndarray) -> float:
    distance = apart(found, expected)
    assert distance < TOLERANCE, f"{what}: {distance:.1e} apart"
    return distance


def check_onnx(name: str) -> float:
    """onnx takes every graph, and onnxruntime gives the program's answers."""
    furthest = 0.0
    for folder, flags in (
        ("kept", ()),
        ("folded", ("--fold-batch-norm",)),
        ("pixels", ("--with-preparation", "--fold-batch-norm")),
    ):
        path = export(name, "onnx", folder, "--test-data", str(max(BATCHES)), *flags)
        model = onnx.load(path)
        onnx.checker.check_model(str(path), full_check=True)
        assert (model.ir_version, model.opset_import[0].version) == (8, 17)
        operators = {node.op_type for node in model.graph.node}
        assert "Transpose" not in operators, f"{name}: {operators}"
        assert folder == "kept" or "BatchNormalization" not in operators
        metadata = {entry.key: entry.value for entry in model.metadata_props}
        assert json.loads(metadata["classes"]) == [f"class{label}" for label in range(CLASSES)]
        assert len(json.loads(metadata["normalization"])["scale"]) == 3
        runtime = session(path, THREADS)
        (source,), (target,) = runtime.get_inputs(), runtime.get_outputs()
        assert (source.shape, target.shape) == (["batch", 3, SIDE, SIDE], ["batch", CLASSES])
        images, answers = test_data(path)
        assert images.dtype == (np.uint8 if folder == "pixels" else np.float32)
        for batch in BATCHES:
            (found,) = runtime.run(None, {source.name: images[:batch]})
            distance = near(f"{name} {folder}, {batch} images", found, answers[:batch])
            furthest = max(furthest, distance)
    return furthest


def generated(path: Path):
    """The Python file beside a .pt."""
    spec = importlib.util.spec_from_file_location(f"network_{path.parent.name}", path.with_suffix(".py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def check_torch(name: str) -> float:
    """PyTorch builds the network from the generated file and loads the weights."""
    path = export(name, "torch", "torch")
    module, weights = generated(path), torch.load(path, weights_only=True)
    mapped = torch.load(path, weights_only=True, mmap=True)
    network = module.Network().eval()
    network.load_state_dict(weights, strict=True)
    other = load_file(export(name, "safetensors", "safetensors"))
    assert other.keys() == weights.keys() == mapped.keys()
    for key, value in weights.items():
        assert value.is_contiguous() and (value.numpy() == other[key]).all(), key
        assert torch.equal(value, mapped[key]), key
    images, logits = test_data(Path(name) / "first" / "kept" / "network.onnx")
    with torch.inference_mode():
        furthest = near(f"{name} in PyTorch", network(torch.from_numpy(images)).numpy(), logits)
        pixels, probabilities = test_data(Path(name) / "first" / "pixels" / "network.onnx")
        found = module.probabilities(network(module.prepare(torch.from_numpy(pixels)))).numpy()
    return max(furthest, near(f"{name} from bytes in PyTorch", found, probabilities))


def losses_here(network: torch.nn.Module, prepared: torch.Tensor, labels: torch.Tensor, rate: float) -> list[float]:
    """What is minimized in the first steps of gradient descent over all training pictures."""
    network.train()
    optimizer, losses = torch.optim.SGD(network.parameters(), rate), []
    for _ in range(STEPS):
        loss = torch.nn.functional.cross_entropy(network(prepared), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


def losses_there(name: str, out: str, weights: str) -> list[float]:
    """The same by the program, which begins with `weights`."""
    train(name, out, STEPS, "--init-from", weights)
    with open(Path(out) / "losses.csv", newline="") as file:
        return [float(row["objective"]) for row in csv.DictReader(file)]


def check_training(name: str, images: np.ndarray, labels: np.ndarray) -> float:
    """From the same weights, both train alike: from the program's, and from some that PyTorch drew."""
    path = Path(name) / "first" / "torch" / "network.pt"
    module = generated(path)
    prepared, answers = module.prepare(torch.from_numpy(images)), torch.from_numpy(labels)
    furthest = 0.0
    torch.manual_seed(5)
    for way in ("ours", "theirs"):
        network = module.Network()
        if way == "ours":
            network.load_state_dict(torch.load(path, weights_only=True))
        start = Path(name) / f"{way}.pt"
        torch.save(network.state_dict(), start)
        exact = losses_here(copy.deepcopy(network).double(), prepared.double(), answers, rate(name))
        single = losses_here(network, prepared, answers, rate(name))
        there = losses_there(name, f"runs/{name}-{way}", f"runs/{name}" if way == "ours" else str(start))
        assert len(exact) == len(there) == STEPS
        for step, (a, b, c) in enumerate(zip(exact, single, there)):
            distance = abs(c - a) / abs(a)
            allowed = LATER_LOSS + ROUNDING * abs(b - a) / abs(a) if step else FIRST_LOSS
            assert distance < allowed, f"{name}, {way}, step {step + 1}: {a} here ({b} in single), {c} there"
            furthest = furthest if step else max(furthest, distance)
    return furthest


def speed(name: str) -> float:
    """How fast onnxruntime is with our graph, as a multiple of its speed with that of torch.onnx; medians of turns."""
    ours = Path(name) / "first" / "kept" / "network.onnx"
    path = Path(name) / "first" / "torch" / "network.pt"
    network = generated(path).Network().eval()
    network.load_state_dict(torch.load(path, weights_only=True))
    theirs = Path(name) / "theirs.onnx"
    images = torch.rand(32, 3, SIDE, SIDE)
    batch = torch.export.Dim("batch", min=1, max=4096)
    torch.onnx.export(
        network, (images,), str(theirs), dynamo=True, dynamic_shapes={"images": {0: batch}}, verbose=False
    )
    sessions = [session(model, threads=1) for model in (ours, theirs)]
    inputs = [{it.get_inputs()[0].name: images.numpy()} for it in sessions]
    times = ([], [])
    repeats = 1
    for turn in range(22):
        for place, (runtime, given) in enumerate(zip(sessions, inputs)):
            began = time.perf_counter()
            for _ in range(repeats):
                runtime.run(None, given)
            took = time.perf_counter() - began
            if turn > 1:
                times[place].append(took)
            elif turn == 1 and place == 0:
                # A turn takes 50 ms at least.
                repeats = max(1, int(0.05 / max(took / repeats, 1e-6)))
    return float(np.median(times[1]) / np.median(times[0]))


def main() -> None:
    images, labels = draw()
    names = [name for name in CASES if not ONLY or name in ONLY]
    for name in names:
        # Several steps, so that running statistics are none that a network begins with.
        train(name, f"runs/{name}", 2)
        line = f"{name}: onnxruntime within {check_onnx(name):.0e}, PyTorch within {check_torch(name):.0e}"
        if name not in DRAWS | SLOW:
            line += f", first losses within {check_training(name, images, labels):.0e}"
        if name in SPEED:
            ratio = speed(name)
            line += f", {ratio:.2f} times as fast as torch.onnx's graph"
            assert ratio >= LEAST_SPEED or os.environ.get("ONNX_SPEED") == "report", line
        print(line, flush=True)
    print(f"{len(names)} networks by onnx {onnx.__version__}, onnxruntime {onnxruntime.__version__}, torch {torch.__version__}")


if __name__ == "__main__":
    PROGRAM, *ONLY = sys.argv[1:]
    torch.set_num_threads(THREADS)
    # That torchvision is not there is no matter.
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    main()
