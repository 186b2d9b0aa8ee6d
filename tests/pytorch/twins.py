"""PyTorch twins of the networks in crates/models: the same parameters by name and shape.

`python twins.py` writes tests/reference/parameters.json, which tests/tests/catalog.rs compares with
the names and shapes that Backburn exports.
"""

import json
from functools import partial
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn.functional import max_pool2d, pad, relu, silu

REFERENCE = Path(__file__).parent.parent / "reference"

Image = tuple[int, int, int]  # channels, height, width


class Mlp(nn.Module):
    def __init__(
        self,
        image: Image,
        classes: int,
        hidden: tuple[int, ...] = (512, 512, 512, 512),
        dropout: float = 0.3,
        batch_norm: bool = False,
    ):
        super().__init__()
        widths = [image[0] * image[1] * image[2], *hidden]
        self.hidden = nn.ModuleList(map(nn.Linear, widths, hidden))
        self.norms = nn.ModuleList(map(nn.BatchNorm1d, hidden if batch_norm else ()))
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(widths[-1], classes)

    def forward(self, images: Tensor) -> Tensor:
        x = images.flatten(1)
        for i, layer in enumerate(self.hidden):
            x = layer(x)
            if self.norms:
                x = self.norms[i](x)
            x = self.dropout(relu(x))
        return self.head(x)


class CnnBlock(nn.Module):
    def __init__(self, inputs: int, outputs: int, convolutions: int, batch_norm: bool):
        super().__init__()
        widths = [inputs] + [outputs] * (convolutions - 1)
        self.convs = nn.ModuleList(
            nn.Conv2d(width, outputs, 3, padding=1, bias=not batch_norm) for width in widths
        )
        norms = convolutions if batch_norm else 0
        self.norms = nn.ModuleList(nn.BatchNorm2d(outputs) for _ in range(norms))

    def forward(self, x: Tensor) -> Tensor:
        for i, conv in enumerate(self.convs):
            x = conv(x)
            if self.norms:
                x = self.norms[i](x)
            x = relu(x)
        return x


class Cnn(nn.Module):
    def __init__(
        self,
        image: Image,
        classes: int,
        widths: tuple[int, ...] = (32, 64, 128),
        convolutions: int = 2,
        dense: int = 256,
        dropout: float = 0.2,
        spatial_dropout: float = 0.0,
        batch_norm: bool = False,
    ):
        super().__init__()
        inputs, height, width = image
        self.blocks = nn.ModuleList()
        for outputs in widths:
            self.blocks.append(CnnBlock(inputs, outputs, convolutions, batch_norm))
            inputs, height, width = outputs, height // 2, width // 2
        features = inputs * height * width
        self.spatial_dropout = nn.Dropout2d(spatial_dropout)
        self.dropout = nn.Dropout(dropout)
        self.dense = nn.Linear(features, dense) if dense else None
        self.head = nn.Linear(dense or features, classes)

    def forward(self, images: Tensor) -> Tensor:
        x = images
        for block in self.blocks:
            x = self.dropout(self.spatial_dropout(max_pool2d(block(x), 2)))
        x = x.flatten(1)
        if self.dense is not None:
            x = relu(self.dense(x))
        return self.head(x)


class LenetBn(nn.Module):
    def __init__(
        self,
        image: Image,
        classes: int,
        widths: tuple[int, int] = (6, 16),
        dropout: float = 0.5,
    ):
        super().__init__()
        channels, height, width = image
        first, second = widths

        def side(pixels: int) -> int:
            return ((pixels - 4) // 2 - 4) // 2

        self.conv1 = nn.Conv2d(channels, first, 5)
        self.norm1 = nn.BatchNorm2d(first)
        self.conv2 = nn.Conv2d(first, second, 5)
        self.norm2 = nn.BatchNorm2d(second)
        self.dense1 = nn.Linear(second * side(height) * side(width), 120)
        self.dropout = nn.Dropout(dropout)
        self.dense2 = nn.Linear(120, 64)
        self.head = nn.Linear(64, classes)

    def forward(self, images: Tensor) -> Tensor:
        x = max_pool2d(relu(self.norm1(self.conv1(images))), 2)
        x = max_pool2d(relu(self.norm2(self.conv2(x))), 2)
        x = self.dropout(relu(self.dense1(x.flatten(1))))
        return self.head(relu(self.dense2(x)))


class CifarNetGroup(nn.Module):
    def __init__(self, inputs: int, outputs: int):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)
        self.norm1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(outputs)

    def forward(self, x: Tensor) -> Tensor:
        x = silu(self.norm1(max_pool2d(self.conv1(x), 2)))
        return silu(self.norm2(self.conv2(x)))


class CifarNet(nn.Module):
    def __init__(
        self,
        image: Image,
        classes: int,
        widths: tuple[int, int, int] = (64, 256, 256),
        dropout: float = 0.0,
    ):
        super().__init__()
        channels, *sides = image
        whitened = 2 * channels * 2 * 2
        self.whiten = nn.Conv2d(channels, whitened, 2)
        inputs = (whitened, *widths)
        self.groups = nn.ModuleList(map(CifarNetGroup, inputs, widths))
        sides = [(side - 1) // 8 for side in sides]
        self.window = min(3, *sides)
        rows, columns = (side // self.window for side in sides)
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(widths[-1] * rows * columns, classes)

    def forward(self, images: Tensor) -> Tensor:
        x = silu(self.whiten(images))
        for group in self.groups:
            x = group(x)
        x = max_pool2d(x, self.window).flatten(1)
        return self.head(self.dropout(x))


class StochasticDepth(nn.Module):
    """Drops the residuals of random images in training, with the expectation of evaluation; as torchvision's "row"."""

    def __init__(self, rate: float):
        super().__init__()
        self.rate = rate

    def forward(self, residual: Tensor) -> Tensor:
        if not self.training or self.rate == 0.0:
            return residual
        kept = torch.rand(len(residual), 1, 1, 1, device=residual.device) >= self.rate
        return residual * kept / (1.0 - self.rate)


class ResNetBlock(nn.Module):
    def __init__(
        self,
        inputs: int,
        channels: int,
        stride: int,
        projects: bool,
        deep: bool,
        batch_norm: bool,
        stochastic_depth: float,
    ):
        super().__init__()
        norm = nn.BatchNorm2d if batch_norm else nn.Identity
        outputs = 4 * channels if deep else channels
        if deep:
            self.conv1 = nn.Conv2d(inputs, channels, 1, bias=False)
            self.norm1 = norm(channels)
            self.conv2 = nn.Conv2d(channels, channels, 3, stride, padding=1, bias=False)
            self.norm2 = norm(channels)
            self.conv3 = nn.Conv2d(channels, outputs, 1, bias=False)
            self.norm3 = norm(outputs)
        else:
            self.conv1 = nn.Conv2d(inputs, channels, 3, stride, padding=1, bias=False)
            self.norm1 = norm(channels)
            self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
            self.norm2 = norm(channels)
            self.conv3 = None
        self.downsample = None
        if projects and (stride != 1 or inputs != outputs):
            self.downsample = nn.Conv2d(inputs, outputs, 1, stride, bias=False)
            self.downsample_norm = norm(outputs)
        self.stochastic_depth = StochasticDepth(stochastic_depth)
        self.stride = stride
        self.new_channels = outputs - inputs

    def forward(self, x: Tensor) -> Tensor:
        residual = self.norm2(self.conv2(relu(self.norm1(self.conv1(x)))))
        if self.conv3 is not None:
            residual = self.norm3(self.conv3(relu(residual)))
        return relu(self.shortcut(x) + self.stochastic_depth(residual))

    def shortcut(self, x: Tensor) -> Tensor:
        if self.downsample is not None:
            return self.downsample_norm(self.downsample(x))
        x = x[:, :, :: self.stride, :: self.stride]
        return pad(x, (0, 0, 0, 0, 0, self.new_channels))


class ResNet(nn.Module):
    def __init__(
        self,
        image: Image,
        classes: int,
        stages: tuple[tuple[int, int], ...],
        projects: bool,
        deep: bool = False,
        batch_norm: bool = True,
        dropout: float = 0.0,
        stochastic_depth: float = 0.0,
        stem: str = "small",
    ):
        super().__init__()
        inputs = stages[0][0]
        self.pools = stem == "imagenet"
        kernel, stride = (7, 2) if self.pools else (3, 1)
        self.stem = nn.Conv2d(image[0], inputs, kernel, stride, padding=kernel // 2, bias=False)
        self.stem_norm = nn.BatchNorm2d(inputs) if batch_norm else nn.Identity()
        self.stages = nn.ModuleList()
        # The last block is skipped with the full rate, those before it in proportion to their number.
        last, number = sum(count for _, count in stages), 0
        for stage, (channels, count) in enumerate(stages):
            blocks = nn.ModuleList()
            for block in range(count):
                stride = 2 if stage > 0 and block == 0 else 1
                number += 1
                rate = stochastic_depth * number / last
                blocks.append(ResNetBlock(inputs, channels, stride, projects, deep, batch_norm, rate))
                inputs = 4 * channels if deep else channels
            self.stages.append(blocks)
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(inputs, classes)

    def forward(self, images: Tensor) -> Tensor:
        x = relu(self.stem_norm(self.stem(images)))
        if self.pools:
            x = max_pool2d(x, 3, 2, padding=1)
        for stage in self.stages:
            for block in stage:
                x = block(x)
        return self.head(self.dropout(x.mean((2, 3))))


def projecting(blocks: tuple[int, int, int, int], deep: bool = False) -> partial:
    """ResNet-18 and its like, with 1×1 convolutions as shortcuts (option B); deep ones with bottlenecks."""
    stages = tuple(zip((64, 128, 256, 512), blocks))
    return partial(ResNet, stages=stages, projects=True, deep=deep)


def padding(n: int) -> partial:
    """The CIFAR network of 6n + 2 layers, with zeros for new channels (option A)."""
    return partial(ResNet, stages=tuple(zip((16, 32, 64), (n, n, n))), projects=False)


CATALOG = {
    "mlp": Mlp,
    "cnn": Cnn,
    "lenet-bn": LenetBn,
    "cifarnet": CifarNet,
    "resnet18": projecting((2, 2, 2, 2)),
    "resnet34": projecting((3, 4, 6, 3)),
    "resnet50": projecting((3, 4, 6, 3), deep=True),
    "resnet20": padding(3),
    "resnet32": padding(5),
    "resnet44": padding(7),
    "resnet56": padding(9),
}


def build(model: dict, image: Image, classes: int) -> nn.Module:
    """The twin of the network that a recipe's `[model]` table describes."""
    settings = dict(model)
    return CATALOG[settings.pop("name")](image, classes, **settings)


def shapes(twin: nn.Module) -> dict[str, list[int]]:
    """Shape of every parameter and running statistic, by name."""
    return {
        name: list(tensor.shape)
        for name, tensor in twin.state_dict().items()
        if not name.endswith("num_batches_tracked")  # which Backburn does not keep
    }


def main() -> None:
    reference = {}
    for name in CATALOG:
        with torch.device("meta"):
            gray = build({"name": name}, (1, 28, 28), 10)
            color = build({"name": name}, (3, 32, 32), 10)
        reference[name] = {"1x28x28": shapes(gray), "3x32x32": shapes(color)}
    text = json.dumps(reference, separators=(",", ":")).replace('},"', '},\n"')
    (REFERENCE / "parameters.json").write_text(text + "\n")


if __name__ == "__main__":
    main()
