"""Weights of torchvision's networks and the logits that they give: `torchvision_weights.py FOLDER`.

Writes random weights of ResNet-18, -34 and -50, as torchvision would publish them, in several formats, and logits.json,
what the networks answer to the images of formula.py. `BACKBURN_TORCHVISION=FOLDER cargo test -p backburn-tests --test
torchvision` compares. They take 400 MB, so that none is committed.
"""

import json
import math
import sys
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import nn
from torchvision import models

import formula

# Sides that are odd and differ, so that windows reach over the edge on one side only.
SHAPE = (2, 3, 97, 64)
CLASSES = 1000


def weights(name: str) -> nn.Module:
    """A network in which every value is random: also scales, shifts and running statistics."""
    torch.manual_seed(7)
    network = getattr(models, name)(num_classes=CLASSES)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.5, 1.0)
            nn.init.uniform_(module.bias, -0.2, 0.2)
    # The statistics of two batches.
    network.train()
    with torch.no_grad():
        for _ in range(2):
            network(torch.randn(4, *SHAPE[1:]))
    return network.eval()


def logits(network: nn.Module) -> list[list[float]]:
    images = torch.from_numpy(formula.values("images", math.prod(SHAPE))).reshape(SHAPE)
    with torch.no_grad():
        return network.double()(images).tolist()


def main() -> None:
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    cases = []

    def case(file: str, model: str, network: nn.Module) -> None:
        cases.append({"file": file, "model": model, "logits": logits(network)})

    for name in ("resnet18", "resnet34", "resnet50"):
        network = weights(name)
        torch.save(network.state_dict(), folder / f"{name}.pt")
        case(f"{name}.pt", name, network)
    network = weights("resnet18")
    save_file(network.state_dict(), folder / "resnet18.safetensors")
    torch.save(network.state_dict(), folder / "legacy.pth", _use_new_zipfile_serialization=False)
    torch.save({"epoch": 1, "state_dict": nn.DataParallel(network).state_dict()}, folder / "checkpoint.pth")
    for file in ("resnet18.safetensors", "legacy.pth", "checkpoint.pth"):
        case(file, "resnet18", network)
    # What is cut to 16 bits is another network.
    for kind in (torch.float16, torch.bfloat16):
        network = weights("resnet18").to(kind)
        file = f"resnet18-{str(kind).removeprefix('torch.')}.pt"
        torch.save(network.state_dict(), folder / file)
        case(file, "resnet18", network)
    content = {"shape": SHAPE, "classes": CLASSES, "cases": cases}
    (folder / "logits.json").write_text(json.dumps(content))


if __name__ == "__main__":
    main()
