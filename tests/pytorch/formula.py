"""Numbers by formula, the same here and in tests/src/values.rs and formula.rs to the last bit."""

import math

import numpy as np


def values(name: str, count: int) -> np.ndarray:
    """`count` numbers in [-1, 1) that look random; exact in 32-bit floats."""
    seed = 0x811C9DC5  # FNV-1a
    for byte in name.encode():
        seed = ((seed ^ byte) * 0x01000193) & 0xFFFFFFFF
    x = np.uint32(seed) ^ (np.arange(count, dtype=np.uint32) * np.uint32(0x9E3779B9))
    x ^= x >> np.uint32(16)  # the finalizer of MurmurHash3
    x *= np.uint32(0x85EBCA6B)
    x ^= x >> np.uint32(13)
    x *= np.uint32(0xC2B2AE35)
    x ^= x >> np.uint32(16)
    return (x >> np.uint32(8)).astype(np.float64) / 2**23 - 1.0


def parameter(name: str, shape: tuple[int, ...]) -> np.ndarray:
    """Values of a parameter, 32-bit floats in double precision.

    Weights are uniform in ±√(6 / fan_in), so that signals neither fade nor explode; biases and
    shifts small, scales around 1.
    """
    unit = values(name, math.prod(shape)).reshape(shape)
    if len(shape) > 1:
        scaled = unit * math.sqrt(6.0 / math.prod(shape[1:]))
    elif name.endswith("weight"):  # the scale of batch normalization
        scaled = 1.0 + 0.25 * unit
    else:
        scaled = 0.25 * unit
    return scaled.astype(np.float32).astype(np.float64)


def gradient(name: str, step: int, shape: tuple[int, ...]) -> np.ndarray:
    """Gradient of a parameter, which depends on its name and the step alone."""
    return values(f"{name} {step}", math.prod(shape)).reshape(shape)


def labels(count: int, classes: int) -> np.ndarray:
    """Labels of a batch."""
    return (7 * np.arange(count) + 3) % classes
