"""`python torchvision_names.py` writes tests/reference/torchvision.json: name and shape of every parameter and running
statistic of torchvision's ResNet-18, -34 and -50, for the test in crates/models/src/torchvision.rs."""

import json
from pathlib import Path

import torch
from torchvision import models

from twins import shapes

REFERENCE = Path(__file__).parent.parent / "reference"


def main() -> None:
    names = ("resnet18", "resnet34", "resnet50")
    with torch.device("meta"):
        reference = {name: shapes(getattr(models, name)()) for name in names}
    text = json.dumps(reference, separators=(",", ":")).replace('},"', '},\n"')
    (REFERENCE / "torchvision.json").write_text(text + "\n")


if __name__ == "__main__":
    main()
