#!/usr/bin/env bash
# Keras 3.15.1: on TensorFlow 2.21.0 (CPU) `beta_1` of the optimizer ScheduleFreeAdamW has no effect at all; on JAX 0.7.2 (CPU)
# the same training gives other weights, those of the paper, but not the average that the documentation says is evaluated.
#
# Schedule-free training takes gradients at y = (1 - beta_1) z + beta_1 x, where z takes the steps and x is the mean of all z.
# Keras keeps y and z, and computes x from y and the z before the step. It only notes where z lies: on a backend that
# changes variables in place the new z is there by then, beta_1 cancels out, and the weights are the mean of all z.
# Nothing in Keras brings x into the model on JAX: the documented "averaged sequence used for evaluation" cannot be had.
#
# Seen: one weight, gradient -1, learning rate 0.1, ten steps from 0 by `fit`, so that z is 1 and x is 0.55. TensorFlow: 0.55
# for beta_1 of 0.1, 0.5 and 0.9. JAX: 0.955, 0.775 and 0.595, also in `predict` afterwards. Adam gives 1 on both. PyTorch
# 2.15.0, not run here for its size, gave what TensorFlow gives.
#
# Installs the packages into a temporary folder; prints what it sees and fails if that is something else.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
    keras==3.15.1 tensorflow-cpu==2.21.0 jax==0.7.2 jaxlib==0.7.2 numpy==2.4.6
cat >"$folder/train.py" <<'PYTHON'
import keras
import numpy as np

backend = keras.backend.backend()


def trained(optimizer):
    """The only weight, whose gradient is always -1, after ten batches, and what the model then predicts for 1."""
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, use_bias=False, kernel_initializer="zeros")])
    model.compile(optimizer=optimizer, loss=lambda _, output: -keras.ops.mean(output))
    ones = np.ones((10, 1), np.float32)
    model.fit(ones, ones, batch_size=1, epochs=1, shuffle=False, verbose=0)
    return [float(model.get_weights()[0][0, 0]), float(model.predict(ones[:1], verbose=0)[0, 0])]


adam = trained(keras.optimizers.Adam(0.1))
print(f"{backend}: Adam {adam[0]:.3f}")
assert np.allclose(adam, 1, atol=1e-4)
z = 0.1 * np.arange(1, 11)
for beta in [0.1, 0.5, 0.9]:
    seen = trained(keras.optimizers.ScheduleFreeAdamW(0.1, beta_1=beta))
    paper = (1 - beta) * z[-1] + beta * z.mean()
    print(f"{backend}: beta_1 {beta}: {seen[0]:.3f}; the paper's y {paper:.3f}, x {z.mean():.3f}")
    assert np.allclose(seen, z.mean() if backend == "tensorflow" else paper, atol=1e-4)
PYTHON
for backend in tensorflow jax; do
    KERAS_BACKEND=$backend "$folder/venv/bin/python" "$folder/train.py" 2>/dev/null
done
