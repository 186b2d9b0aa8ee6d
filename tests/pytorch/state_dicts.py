"""Small files as PyTorch and safetensors write them, for the reader in crates/models/src/state_dict/.

`python state_dicts.py` writes ../fixtures/state-dicts/: one network in every way in which a state dictionary is
saved, and expected.json with its values as 32-bit floats. Files whose names begin with `refused` must not be taken.
"""

import argparse
import json
from collections import OrderedDict
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

FOLDER = Path(__file__).parent.parent / "fixtures" / "state-dicts"


class Tiny(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(2, 3, 2, bias=False)
        self.norm = nn.BatchNorm2d(3)
        self.head = nn.Linear(3, 4)

    def forward(self, images: Tensor) -> Tensor:
        return self.head(self.norm(self.conv(images)).mean((2, 3)))


def trained() -> Tiny:
    """With running statistics and counts that are not those of the beginning."""
    torch.manual_seed(5)
    network = Tiny()
    network(torch.randn(4, 2, 5, 6))
    return network


def strided(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """The same values, none of them in a storage of its own and in order."""
    columns = torch.zeros(3, 8)
    columns[:, 1::2] = state["head.weight"].T
    line = torch.cat([torch.tensor([9.0]), state["head.bias"], torch.tensor([9.0])])
    conv = state["conv.weight"].contiguous(memory_format=torch.channels_last)
    return {**state, "conv.weight": conv, "head.weight": columns[:, 1::2].T, "head.bias": line[1:5]}


def shared(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Two tensors that are one, and one whose numbers are all the same one."""
    tied = {**state, "norm.bias": state["norm.weight"]}
    return {**tied, "head.bias": torch.tensor([0.75]).expand(4)}


def checkpoint(network: Tiny) -> dict:
    """What training scripts save beside the weights."""
    copy = trained()
    optimizer = torch.optim.SGD(copy.parameters(), momentum=0.9)
    copy(torch.randn(4, 2, 5, 6)).square().mean().backward()
    optimizer.step()
    return {
        "epoch": 3,
        "best": 0.5,
        "state_dict": network.state_dict(),
        "optimizer": optimizer.state_dict(),
        "random": torch.zeros(7, dtype=torch.uint8),
        "arguments": argparse.Namespace(rate=0.1, name="tiny"),
    }


def cast(state: dict[str, Tensor], kind: torch.dtype) -> dict[str, Tensor]:
    return {name: it.to(kind) if it.is_floating_point() else it for name, it in state.items()}


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    state = trained().state_dict()
    half = cast(state, torch.float16)
    half["head.bias"] = torch.tensor([6e-8, -1.2e-5, 65504.0, float("-inf")], dtype=torch.float16)
    bfloat16 = cast(state, torch.bfloat16)
    parallel = {f"module._orig_mod.{name}": it for name, it in state.items()}
    too_large = {**cast(state, torch.float64), "head.bias": torch.tensor([1e39] * 4, dtype=torch.float64)}
    parameters = OrderedDict(trained().named_parameters())
    parameters |= {name: it for name, it in state.items() if name not in parameters}
    legacy = {"_use_new_zipfile_serialization": False}
    # Name, content, how it is saved, and the state dictionary whose values it should give, if any.
    files = [
        ("plain.pt", state, {}, "single"),
        ("legacy.pt", state, legacy, "single"),
        ("protocol-5-legacy.pt", state, {"pickle_protocol": 5, **legacy}, "single"),
        ("checkpoint.pt", checkpoint(trained()), {}, "single"),
        ("checkpoint-legacy.pt", checkpoint(trained()), legacy, "single"),
        ("parallel.pt", parallel, {}, "single"),
        ("parameters.pt", parameters, {}, "single"),
        ("strided.pt", strided(state), {}, "single"),
        ("strided-legacy.pt", strided(state), legacy, "single"),
        ("double.pt", cast(state, torch.float64), {}, "single"),
        ("shared.pt", shared(state), {}, "shared"),
        ("half.pt", half, {}, "half"),
        ("bfloat16.pt", bfloat16, {}, "bfloat16"),
        ("refused-too-large.pt", too_large, legacy, None),
        ("refused-complex.pt", {"a": torch.zeros(4, dtype=torch.complex64)}, legacy, None),
        ("refused-two.pt", {"net": state, "average": state, "epoch": 3}, legacy, None),
        ("refused-module.pt", nn.Linear(1, 1), {}, None),
        ("refused-no-weights.pt", {"epoch": 3, "accuracy": 0.5}, legacy, None),
    ]
    expected = {
        "single": values(state),
        "shared": values(shared(state)),
        "half": values(half),
        "bfloat16": values(bfloat16),
    }
    for name, content, options, _ in files:
        torch.save(content, FOLDER / name, **options)
    for name, content in [("single", state), ("half", half), ("bfloat16", bfloat16)]:
        save_file(content, FOLDER / f"{name}.safetensors")
    gives = {name: gives for name, _, _, gives in files}
    gives |= {f"{name}.safetensors": name for name in ("single", "half", "bfloat16")}
    text = json.dumps({"files": gives, "values": expected}, separators=(",", ":"))
    (FOLDER / "expected.json").write_text(text.replace("},", "},\n") + "\n")


def values(state: dict[str, Tensor]) -> dict[str, list]:
    """Shape and bits of each tensor of floats, as 32-bit floats."""
    return {
        name: [list(it.shape), it.detach().float().contiguous().view(torch.int32).flatten().tolist()]
        for name, it in state.items()
        if it.is_floating_point()
    }


if __name__ == "__main__":
    main()
