#!/usr/bin/env bash
# Keras 3.15.1 (backends NumPy 2.4.6 and JAX 0.7.2): RandomErasing(1.0), of which the documentation says "erasing is always
# applied", erases half of the pictures; and the noise that it fills with by default is black for half of the pixels.
#
# A single factor is the upper end of a range, as the same page says elsewhere: each picture draws a probability between 0 and
# it, and then whether it is erased. What always erases is (1.0, 1.0). The noise is drawn from a normal distribution around 0,
# times the largest value, and cut off at both ends of the value range, 0 and 255: what is below 0, half of it, becomes 0, and
# what is above 255, a sixth, 255. A third is noise. The paper fills with values that are uniform over the range.
#
# Seen: with the factor 1.0, the default, 0.48 and 0.49 of 4,000 grey pictures are changed, with 0.5 a quarter, with (1.0, 1.0)
# all. Of the numbers that are filled in, 0.50 are 0 and 0.16 are 255, alike for pictures from 0 to 1. With a value range of -1
# to 1, for pictures that are already normalized, 0.16 lie at either end.
#
# Installs the packages into a temporary folder; prints what it sees and fails if that is something else.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check keras==3.15.1 jax==0.7.2 jaxlib==0.7.2 numpy==2.4.6
cat >"$folder/erase.py" <<'PYTHON'
import keras
import numpy as np

PICTURES = 4000


def erase(low, high, **settings):
    """Grey pictures, and what training makes of them."""
    grey = np.full((PICTURES, 16, 16, 3), low + 0.4 * (high - low), np.float32)
    layer = keras.layers.RandomErasing(value_range=(low, high), seed=1, **settings)
    return grey, np.asarray(layer(grey, training=True))


def close(found, expected):
    return abs(found - expected) < 0.02


print(keras.backend.backend())
for factor, expected in [(None, 0.5), (1.0, 0.5), (0.5, 0.25), ((1.0, 1.0), 1.0)]:
    settings = {} if factor is None else {"factor": factor}
    before, after = erase(0, 255, **settings)
    erased = (before != after).any(axis=(1, 2, 3)).mean()
    print(f"  factor {'not given' if factor is None else factor}: {erased:.2f} of the pictures are erased")
    assert close(erased, expected)
for low, high, at_low, at_high in [(0, 255, 0.5, 0.16), (0, 1, 0.5, 0.16), (-1, 1, 0.16, 0.16)]:
    before, after = erase(low, high, factor=(1.0, 1.0))
    filled = after[before != after]
    shares = (filled == low).mean(), (filled == high).mean()
    print(f"  values from {low} to {high}: {shares[0]:.2f} of what is filled in are {low}, {shares[1]:.2f} are {high}")
    assert close(shares[0], at_low) and close(shares[1], at_high)
PYTHON
for backend in numpy jax; do
    KERAS_BACKEND=$backend "$folder/venv/bin/python" "$folder/erase.py" 2>/dev/null
done
