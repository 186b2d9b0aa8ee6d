#!/usr/bin/env bash
# onnx 1.23.2: its reference evaluator pools wrongly where sizes are rounded up (`ceil_mode=1`), and contradicts its own shape
# inference.
#
# ReferenceEvaluator is what exports are compared with where no runtime is at hand. On an image of ones every mean and every
# maximum is 1, whatever the windows.
#
# Seen: MaxPool of 5x5 by 3x3 windows, stride 1, one pixel of padding, ceil_mode=1 gives 7x7 numbers, of which the last two
# rows and columns are 0; shape inference says 5x5, as without ceil_mode, since nothing is left to round up. AveragePool of 7x7
# by 3x3 windows, stride 3, no padding, ceil_mode=1, count_include_pad=1 begins with 0.444 and 0.667: the two pixels that the
# last windows reach over the image are taken before it. onnxruntime 1.32.0 gives 5x5, and ones in both.
#
# Installs the package into a temporary folder; prints what it sees and fails if that is something else.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check onnx==1.23.2 onnxruntime==1.32.0
"$folder/venv/bin/python" - <<'PYTHON'
import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper
from onnx.reference import ReferenceEvaluator


def pooled(operator, side, **attributes):
    """Inferred size, the reference's answer and the runtime's, on an image of ones."""
    node = helper.make_node(operator, ["x"], ["y"], kernel_shape=[3, 3], ceil_mode=1, **attributes)
    image = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 1, side, side])
    answer = helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", "c", "h", "w"])
    graph = helper.make_graph([node], "pooling", [image], [answer])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 22)], ir_version=10)
    onnx.checker.check_model(model, full_check=True)
    inferred = onnx.shape_inference.infer_shapes(model, strict_mode=True).graph.output[0].type.tensor_type.shape.dim
    ones = {"x": np.ones((1, 1, side, side), np.float32)}
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    reference, runtime = ReferenceEvaluator(model).run(None, ones)[0], session.run(None, ones)[0]
    print(operator, [size.dim_value for size in inferred], reference.shape, runtime.shape)
    print(reference[0, 0].round(3), runtime[0, 0], sep="\n")
    return reference[0, 0], runtime[0, 0]


reference, runtime = pooled("MaxPool", 5, strides=[1, 1], pads=[1, 1, 1, 1])
assert runtime.shape == (5, 5) and (runtime == 1).all()
assert reference.shape == (7, 7) and (reference[:5, :5] == 1).all() and reference.sum() == 25
reference, runtime = pooled("AveragePool", 7, strides=[3, 3], count_include_pad=1)
assert runtime.shape == reference.shape == (3, 3) and (runtime == 1).all()
assert abs(reference[0, 0] - 4 / 9) < 1e-6 and abs(reference[0, 2] - 2 / 3) < 1e-6 and reference[2, 2] == 1
PYTHON
