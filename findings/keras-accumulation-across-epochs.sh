#!/usr/bin/env bash
# Keras 3.15.1 on PyTorch 2.15.0 (CPU): accumulated gradients run across epochs, and what is left at the end of a
# training is thrown away; a training of fewer batches than are accumulated changes no weight.
#
# `SGD(gradient_accumulation_steps=4)` counts batches without regard to epochs. Whoever expects a step at the end of each
# epoch, as in most loops, gets other steps; the batches after the last multiple of 4 are computed and never used.
#
# Seen: 3 batches, 1 epoch: the weight stays 0 and `iterations` is 0, without a warning. 5 batches, 2 epochs: two steps,
# the second in the middle of epoch 2, and 2 of 10 batches lost. 4 batches: one step.
#
# Installs the two packages into a temporary folder; prints what it sees and fails if that is something else.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check keras==3.15.1 torch==2.15.0
KERAS_BACKEND=torch "$folder/venv/bin/python" - 2>/dev/null <<'PYTHON'
import keras
import numpy


def weights(batches, epochs):
    """The only weight after each batch, whose gradient is always -1, and the steps that were counted."""
    weight = keras.layers.Dense(1, use_bias=False, kernel_initializer="zeros")
    model = keras.Sequential([keras.Input((1,)), weight])
    optimizer = keras.optimizers.SGD(1.0, gradient_accumulation_steps=4)
    model.compile(optimizer=optimizer, loss=lambda _, output: -keras.ops.mean(output))
    seen = []

    def note(batch, logs=None):
        seen.append(float(model.get_weights()[0][0, 0]))

    ones = numpy.ones((batches, 1))
    follow = keras.callbacks.LambdaCallback(on_train_batch_end=note)
    model.fit(ones, ones, batch_size=1, epochs=epochs, verbose=0, shuffle=False, callbacks=[follow])
    return seen, int(optimizer.iterations)


expected = {
    (3, 1): ([0.0] * 3, 0),
    (4, 1): ([0.0] * 3 + [1.0], 1),
    (5, 2): ([0.0] * 3 + [1.0] * 4 + [2.0] * 3, 2),
}
for (batches, epochs), outcome in expected.items():
    seen = weights(batches, epochs)
    print(f"{batches} batches, {epochs} epochs: weight {seen[0]}, steps {seen[1]}")
    assert seen == outcome, f"expected {outcome}"
PYTHON
