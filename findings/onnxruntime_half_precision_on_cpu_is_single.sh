#!/usr/bin/env bash
# ONNX Runtime computes a float16 graph in float32 on a CPU, with every optimisation switched off too.
#
# Expected: a graph whose tensors are all float16 rounds each of them to float16, as the specification's evaluator
# does, so that a test of the file on a CPU shows whether half precision overflows or loses small numbers.
# Seen (2026-11-28; onnxruntime 1.32.0, onnx 1.23.2, numpy 2.4.6; CPUExecutionProvider, x86): the square of 300 is
# above the largest float16 (65504) and the square of 0.0001 below the smallest, so the root of the square is infinity
# and 0; ONNX Runtime says 300 and 0.0001, at every optimisation level, since it runs these operators in float32 and
# does not round in between. A graph that returns both says that the square is infinite and its root 300.
# For a metric: a sum of squares over 512 channels overflows in half precision. A float16 export that is checked on a
# CPU agrees to three digits, and may give infinity or 0 on hardware that computes in half.
#
# Output, and the script fails if it changes:
#   evaluator: [3.0, inf, 0.0]
#   ORT_ENABLE_ALL: [3.0, 300.0, 0.0001]
#   ORT_ENABLE_BASIC: [3.0, 300.0, 0.0001]
#   ORT_DISABLE_ALL: [3.0, 300.0, 0.0001]
#   ORT_DISABLE_ALL, both returned: square [9.0, inf, 0.0], root [3.0, 300.0, 0.0001]
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet onnxruntime==1.32.0 onnx==1.23.2 numpy==2.4.6
cd "$folder"
"$folder/venv/bin/python" -W ignore - <<'PYTHON' | tee seen
import numpy as np
import onnxruntime
from onnx import ModelProto, TensorProto, helper
from onnx.reference import ReferenceEvaluator

x = np.array([3, 300, 0.0001], dtype=np.float16)


def root_of_square(outputs: tuple[str, ...]) -> ModelProto:
    nodes = [helper.make_node("Mul", ["x", "x"], ["square"]), helper.make_node("Sqrt", ["square"], ["root"])]
    half = {name: helper.make_tensor_value_info(name, TensorProto.FLOAT16, [3]) for name in ("x", *outputs)}
    graph = helper.make_graph(nodes, "root_of_square", [half["x"]], [half[name] for name in outputs])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)


def run(model: ModelProto, level: str) -> list[list[float]]:
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = getattr(onnxruntime.GraphOptimizationLevel, level)
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return [numbers(output) for output in session.run(None, {"x": x})]


def numbers(output: np.ndarray) -> list[float]:
    assert output.dtype == np.float16
    return [float(f"{value:.3g}") for value in output]


model = root_of_square(("root",))
print("evaluator:", numbers(ReferenceEvaluator(model).run(None, {"x": x})[0]))
for level in ("ORT_ENABLE_ALL", "ORT_ENABLE_BASIC", "ORT_DISABLE_ALL"):
    print(f"{level}:", run(model, level)[0])
square, root = run(root_of_square(("square", "root")), "ORT_DISABLE_ALL")
print(f"ORT_DISABLE_ALL, both returned: square {square}, root {root}")
PYTHON
diff seen - <<'EXPECTED'
evaluator: [3.0, inf, 0.0]
ORT_ENABLE_ALL: [3.0, 300.0, 0.0001]
ORT_ENABLE_BASIC: [3.0, 300.0, 0.0001]
ORT_DISABLE_ALL: [3.0, 300.0, 0.0001]
ORT_DISABLE_ALL, both returned: square [9.0, inf, 0.0], root [3.0, 300.0, 0.0001]
EXPECTED
