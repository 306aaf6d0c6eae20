#!/usr/bin/env bash
# ONNX's Resize with antialias=1 is not Pillow's resize on the border unless exclude_outside=1 is set.
#
# Expected: antialias=1 stretches the filter by the scale as Pillow does, and away from the border the two agree to
# the last bits; so a graph that shrinks its input sees what it was made with.
# Seen (2026-11-28; onnx 1.23.2, onnxruntime 1.32.0, pillow 13.0.0, numpy 2.4.6): unless exclude_outside=1 is set, the
# filter's weights outside the picture are put on repeats of its edge; Pillow leaves them out and divides by those
# that remain. Half the size, linear and cubic (a = -0.5), differs by up to 0.04 of the range in the outermost pixels
# (one for linear, two for cubic). The specification's own evaluator and ONNX Runtime agree with each other. torch's
# antialiased interpolate weighs as Pillow does.
# For a metric: a graph with a resize inside (DISTS' 256 px, a multi-scale metric) is right in the middle and wrong
# along the frame, and a test on a large picture's mean is too coarse to notice.
#
# Output, and the script fails if it changes:
#   linear exclude_outside=0 border off by 0.04, middle by less than 1e-6, Runtime as the evaluator
#   linear exclude_outside=1 border off by 0.00, middle by less than 1e-6, Runtime as the evaluator
#   cubic exclude_outside=0 border off by 0.02, middle by less than 1e-6, Runtime as the evaluator
#   cubic exclude_outside=1 border off by 0.00, middle by less than 1e-6, Runtime as the evaluator
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet onnx==1.23.2 onnxruntime==1.32.0 pillow==13.0.0 numpy==2.4.6
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON' | tee seen
import numpy as np
import onnxruntime
from onnx import TensorProto, helper
from onnx.reference import ReferenceEvaluator
from PIL import Image

rows, columns = np.mgrid[:16, :16]
picture = ((rows * 7 + columns * 5) % 16 / 15).astype(np.float32)


def halved(mode: str, exclude_outside: int) -> tuple[np.ndarray, np.ndarray]:
    cubic = {"cubic_coeff_a": -0.5} if mode == "cubic" else {}
    node = helper.make_node(
        "Resize", ["x", "", "", "size"], ["y"], mode=mode, antialias=1, exclude_outside=exclude_outside, **cubic
    )
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 1, 16, 16])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 1, 8, 8])
    size = helper.make_tensor("size", TensorProto.INT64, [4], [1, 1, 8, 8])
    graph = helper.make_graph([node], "halve", [x], [y], [size])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 19)], ir_version=9)
    feed = {"x": picture[None, None]}
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return ReferenceEvaluator(model).run(None, feed)[0][0, 0], session.run(None, feed)[0][0, 0]


for mode, filter in (("linear", Image.Resampling.BILINEAR), ("cubic", Image.Resampling.BICUBIC)):
    pillow = np.asarray(Image.fromarray(picture).resize((8, 8), filter))
    for exclude_outside in (0, 1):
        evaluator, runtime = halved(mode, exclude_outside)
        off = np.abs(evaluator - pillow)
        middle = "less" if off[2:-2, 2:-2].max() < 1e-6 else "MORE"
        same = "as" if np.abs(evaluator - runtime).max() < 1e-6 else "UNLIKE"
        print(
            f"{mode} exclude_outside={exclude_outside} border off by {off.max():.2f}, "
            f"middle by {middle} than 1e-6, Runtime {same} the evaluator"
        )
PYTHON
diff seen - <<'EXPECTED'
linear exclude_outside=0 border off by 0.04, middle by less than 1e-6, Runtime as the evaluator
linear exclude_outside=1 border off by 0.00, middle by less than 1e-6, Runtime as the evaluator
cubic exclude_outside=0 border off by 0.02, middle by less than 1e-6, Runtime as the evaluator
cubic exclude_outside=1 border off by 0.00, middle by less than 1e-6, Runtime as the evaluator
EXPECTED
