#!/usr/bin/env bash
# OpenCV 5.0.0 (opencv-python-headless 5.0.0.93): networks from ONNX whose padding is `SAME_UPPER`, as TensorFlow's and
# Keras's "same" is called there, look one pixel beside the right place at stride 2 on pictures of even size.
#
# ONNX says how many pixels are added in all, so that the result has ceil(size / stride), and that an odd one goes to the end.
# For windows of 3, stride 2 and an even side that is one pixel, at the end, as OpenCV 4.14 has it. 5.0 puts (window - 1) / 2
# pixels, rounded down, before the picture, whatever its size and the stride.
#
# Seen: the same file, a convolution, maximum or mean of 3x3, stride 2, on 6x6, 32x32 and 224x224: OpenCV 4.14.0 and
# onnxruntime 1.32.0 agree. 5.0.0 reads the model without a word and gives a picture of the right size with other numbers: those
# of one pixel of padding before and none after. On 7x7, where one pixel goes to either side, all agree.
# `engine=ENGINE_CLASSIC` changes nothing.
#
# Installs the packages into a temporary folder; prints what it sees and fails if that is something else.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
install() { # FOLDER PACKAGE...
    python3 -m pip install --quiet --disable-pip-version-check --root-user-action ignore --target "$folder/$1" "${@:2}"
}
install common onnx==1.23.2 onnxruntime==1.32.0 numpy==2.4.6
install 4 --no-deps opencv-python-headless==4.14.0.94
install 5 --no-deps opencv-python-headless==5.0.0.93
cat >"$folder/same.py" <<'PYTHON'
import sys

import cv2
import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper


def model(operator, side, **padding):
    """One layer of 3x3 windows, stride 2."""
    inputs, weights = ["x"], []
    if operator == "Conv":
        inputs.append("w")
        weights.append(helper.make_tensor("w", TensorProto.FLOAT, [1, 1, 3, 3], range(1, 10)))
    node = helper.make_node(operator, inputs, ["y"], kernel_shape=[3, 3], strides=[2, 2], **padding)
    image = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 1, side, side])
    answer = helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 1, (side + 1) // 2, (side + 1) // 2])
    graph = helper.make_graph([node], "same", [image], [answer], weights)
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(made, full_check=True)
    return made.SerializeToString()


def runtime(network, image):
    session = onnxruntime.InferenceSession(network, providers=["CPUExecutionProvider"])
    return session.run(None, {"x": image})[0]


def opencv(network, image, *engine):
    net = cv2.dnn.readNetFromONNX(np.frombuffer(network, np.uint8), *engine)
    net.setInput(image, "x")
    return net.forward()


print("OpenCV", cv2.__version__)
for side in [6, 7, 32, 224]:
    image = np.random.default_rng(side).random((1, 1, side, side), np.float32)
    for operator in ["Conv", "MaxPool", "AveragePool"]:
        network = model(operator, side, auto_pad="SAME_UPPER")
        right = runtime(network, image)
        seen = opencv(network, image)
        assert seen.shape == right.shape
        same = np.allclose(seen, right, atol=1e-4)
        print(f"  {operator} on {side}x{side}:", "as it should be" if same else f"off by up to {abs(seen - right).max():.2f}")
        assert same == (side == 7 or sys.argv[1] == "4")
        if not same:
            moved = runtime(model(operator, side, pads=[1, 1, 0, 0]), image)
            assert np.allclose(seen, moved, atol=1e-4)
            assert np.allclose(opencv(network, image, cv2.dnn.ENGINE_CLASSIC), moved, atol=1e-4)
PYTHON
for version in 4 5; do
    PYTHONPATH="$folder/common:$folder/$version" python3 "$folder/same.py" "$version" 2>/dev/null
done
