"""Makes the models of the page and the npm package: one ONNX file each, in web/models.

    python web/models.py            # pixels, alex and alex-32; any net with calibrated weights may be named

A model reads one picture, (1, 3, H, W) in [0, 1] with sides from 64 pixels, so that one read once can be compared with
many. It gives one output a tap, (1, K, P, Q): the statistics of P x Q windows, weighted so that the squared
differences of two pictures sum to d^2 over all taps; and `just_noticeable`, (2,): the distance that people just notice,
and the exponent b with which distances follow what people say (`jnd_fit`).
Numbers that float16 holds exactly, which are those of the bundled trunks, are stored in it: no distance changes.
"""

from __future__ import annotations

import argparse
import io
import warnings
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn
from winograd import replace_convolutions

from invariant_lpips import InvariantLPIPS
from invariant_lpips.files.writing import replacing
from invariant_lpips.integrations.export import SMALLEST_SIDE

#: A net by its name; with `-32` its head is `regional-32` in place of the net's default.
MODELS = ("pixels", "alex", "alex-32")
#: Largest difference from the metric that is kept, relative to the distance.
TOLERANCE = 1e-4


class Windows(nn.Module):
    """What a metric with head `regional` keeps of a picture, tap by tap, in units of the distance."""

    def __init__(self, metric: InvariantLPIPS) -> None:
        super().__init__()
        self.metric = metric

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        head = self.metric.head
        summaries = self.metric.reference(image, normalize=True).summaries
        root = head.divisor_of(summaries) ** 0.5
        return tuple(
            (head.vector(tap, summary) / root).view(1, -1, *summary[0].shape[-2:])
            for tap, summary in zip(head.taps, summaries, strict=True)
        )


def metric_of(name: str) -> InvariantLPIPS:
    """The metric that a model's name stands for."""
    net = name.removesuffix("-32")
    return InvariantLPIPS(net=net, head="default" if net == name else "regional-32")


def model_of(metric: InvariantLPIPS) -> onnx.ModelProto:
    """The graph of :class:`Windows`, at any size, with the just noticeable distance as one more output."""
    free = torch.export.Dim.DYNAMIC(min=SMALLEST_SIDE)
    with torch.no_grad(), warnings.catch_warnings(), redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")  # the exporter tells its progress
        program = torch.export.export(
            Windows(metric).eval(),
            (torch.rand(1, 3, 96, 128),),
            dynamic_shapes=({2: free, 3: free},),
            strict=False,
        )
        converted = torch.onnx.export(
            program,
            dynamo=True,
            input_names=["image"],
            output_names=list(metric.head.taps),
            optimize=True,
            verbose=False,
        )
    assert converted is not None
    model = converted.model_proto
    for node in model.graph.node:  # the exporter writes where in whose source each came from
        node.ClearField("metadata_props")
    del model.graph.value_info[:]
    assert metric.jnd_fit is not None
    one = 1 / float(metric.jnd(torch.ones(())))
    fit = np.array([one, metric.jnd_fit["b"]], np.float32)
    model.graph.initializer.append(numpy_helper.from_array(fit, "jnd"))
    model.graph.node.append(helper.make_node("Identity", ["jnd"], ["just_noticeable"]))
    model.graph.output.append(helper.make_tensor_value_info("just_noticeable", TensorProto.FLOAT, [2]))
    helper.set_model_props(model, {"description": metric.describe(), "range": "[0, 1]"})
    return model


def store_halves(model: onnx.ModelProto) -> None:
    """Store large float32 constants in float16, with a cast back, where that loses nothing."""
    casts = []
    for constant in model.graph.initializer:
        if constant.data_type != TensorProto.FLOAT:
            continue
        values = numpy_helper.to_array(constant)
        halves = values.astype(np.float16)
        if values.size < 1024 or not np.array_equal(halves.astype(np.float32), values):
            continue
        name = constant.name
        constant.CopyFrom(numpy_helper.from_array(halves, f"{name}.float16"))
        casts.append(helper.make_node("Cast", [constant.name], [name], to=TensorProto.FLOAT))
    others = list(model.graph.node)
    del model.graph.node[:]
    model.graph.node.extend(casts + others)


def difference(path: Path, metric: InvariantLPIPS) -> float:
    """Largest difference of a file's distances from the metric's, relative to these, at three sizes."""
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    generator = torch.Generator().manual_seed(0)
    worst = 0.0
    for height, width in ((64, 64), (97, 131), (300, 65)):
        x, y = (torch.rand(1, 3, height, width, generator=generator) for _ in range(2))
        sides: list[list[Any]] = [
            session.run(list(metric.head.taps), {"image": side.numpy()}) for side in (x, y)
        ]
        squares = sum(float(np.square(a.astype(np.float64) - b).sum()) for a, b in zip(*sides, strict=True))
        expected = float(metric(x, y, normalize=True))
        worst = max(worst, abs(squares**0.5 - expected) / expected)
    return worst


def write(metric: InvariantLPIPS, path: Path) -> float:
    """Write a metric's model, whole and compared with the metric or not at all; gives their difference.

    Raises:
        ValueError: its distances are not the metric's.
    """
    model = model_of(metric)
    replace_convolutions(model)
    store_halves(model)
    onnx.checker.check_model(model)
    with replacing(path) as temporary:
        Path(temporary).write_bytes(model.SerializeToString())
        worst = difference(Path(temporary), metric)
        if not worst <= TOLERANCE:
            raise ValueError(
                f"The model of net={metric.net_name!r}, head={metric.head.name!r} differs from the metric by "
                f"{worst:.1e} of its value, more than {TOLERANCE:.0e}, and was not kept; please "
                "report it with your versions of torch and onnxruntime."
            )
    return worst


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument(
        "models", nargs="*", default=MODELS, metavar="MODEL", help="pixels, alex, alex-32 (all three), vgg"
    )
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "models", metavar="DIR")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    for name in args.models:
        path = args.out / f"{name}.onnx"
        worst = write(metric_of(name), path)
        print(f"{path}: {path.stat().st_size:,} bytes, within {worst:.0e} of the metric")


if __name__ == "__main__":
    main()
