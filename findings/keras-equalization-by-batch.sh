#!/usr/bin/env bash
# Keras 3.15.1 (backends NumPy 2.4.6 and JAX 0.7.2): the layer Equalization takes one histogram of the whole batch, so that a
# picture comes out differently with each batch that it is in, and it does nothing at inference.
#
# Histogram equalization spreads the values of one picture. The documentation says "independently on each color channel" and
# "at inference time, the equalization is consistently applied". The layer gathers the values of a channel from all pictures of
# the batch, and returns its input where `training` is false, as in `predict` and `evaluate`. RandAugment and AugMix use it.
#
# Seen: a dark picture, 0 to 63, is spread over 0 to 255 if it is alone, and over 0 to 126 beside a light one, which gets 129
# to 255: the dark one stays dark and the light one light, and pixels are up to 129 levels off. In `predict` the dark picture
# comes out as it was, and in training equalized. AutoContrast, documented much alike, does each picture alone, and always.
#
# Installs the packages into a temporary folder; prints what it sees and fails if that is something else.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check keras==3.15.1 jax==0.7.2 jaxlib==0.7.2 numpy==2.4.6
cat >"$folder/equalize.py" <<'PYTHON'
import keras
import numpy as np


class Prepared(keras.Model):
    """A model that is nothing but the layer."""

    def __init__(self, layer):
        super().__init__()
        self.layer = layer

    def call(self, images, training=False):
        return self.layer(images, training=training)


dark = np.arange(64, dtype=np.float32).reshape(1, 8, 8, 1)
light = dark + 192
both = np.concatenate([dark, light])
print(keras.backend.backend())
for layer, low, high, off in [(keras.layers.Equalization(), 126, 129, 129), (keras.layers.AutoContrast(), 255, 0, 0)]:
    alone = np.rint(np.concatenate([layer(dark), layer(light)]))
    beside = np.rint(layer(both))
    for name, images in [("alone", alone), ("in one batch", beside)]:
        print(f"  {layer.name}, {name}:", *[f"{image.min():.0f} to {image.max():.0f}" for image in images])
    assert [image.min() for image in alone] == [0, 0] and [image.max() for image in alone] == [255, 255]
    assert [beside[0].max(), beside[1].min()] == [low, high] and abs(beside - alone).max() == off

    model = Prepared(layer)
    predicted = np.rint(model.predict(dark, verbose=0))
    trained = np.rint(model(dark, training=True))
    print(f"  {layer.name}, predict: {predicted.min():.0f} to {predicted.max():.0f};",
          f"in training: {trained.min():.0f} to {trained.max():.0f}")
    assert np.array_equal(predicted, dark if layer.name == "equalization" else alone[:1])
    assert np.array_equal(trained, alone[:1])
for layer in [keras.layers.RandAugment(), keras.layers.AugMix()]:
    assert isinstance(layer.equalization, keras.layers.Equalization)
PYTHON
for backend in numpy jax; do
    KERAS_BACKEND=$backend "$folder/venv/bin/python" "$folder/equalize.py" 2>/dev/null
done
