"""`invariant-lpips export onnx | pt2 | torchscript -o FILE`: the metric as a file for other runtimes."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from invariant_lpips.cli.metric_options import build_metric


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command to its parser."""
    parser.add_argument(
        "format",
        choices=("onnx", "pt2", "torchscript"),
        help="onnx (compared with the metric in ONNX Runtime), pt2 (torch.export) or torchscript (a trace)",
    )
    parser.add_argument("-o", "--out", type=Path, required=True, metavar="FILE", help="where to write")
    parser.add_argument(
        "--metric", choices=("invariant", "lpips"), default="invariant", help="lpips: the stock metric"
    )
    parser.add_argument("--net", help="trunk: vgg, alex or squeeze (default: vgg; of --metric lpips: alex)")
    parser.add_argument("--head", help="gap, gap-spatial, spatial, ... (default: the package's default head)")
    parser.add_argument("--weights", metavar="FILE", help="linear weights of your own, or `unit` for none")
    parser.add_argument("--pooling", help="the trunk's downsampler: max (default), blur or polyphase")
    parser.add_argument("--normalize", action="store_true", help="images in [0, 1] instead of [-1, 1]")
    parser.add_argument("--embed", action="store_true", help="export the embedding of one image")
    parser.add_argument(
        "--size",
        type=_size,
        metavar="N|WxH",
        help="fix the size of the images; by default it stays free, which not every head allows",
    )
    parser.add_argument("--no-check", action="store_true", help="onnx: do not compare with the metric")
    # What build_metric asks besides: a graph is made on the CPU in float32 and runs anywhere.
    parser.set_defaults(device="cpu", dtype="float32", version=None, unequal_sizes=False)


def run(args: argparse.Namespace) -> int:
    """Write the file and print its path; 2 with one sentence where that can't be done."""
    from invariant_lpips.integrations import export

    options = {"normalize": args.normalize, "embed": args.embed, "size": args.size}
    try:
        metric = build_metric(args)
        print(f"invariant-lpips export: {metric.describe()}", file=sys.stderr)
        if args.format == "onnx":
            export.to_onnx(metric, args.out, **options, tolerance=None if args.no_check else 1e-4)
        elif args.format == "pt2":
            export.save_program(export.to_program(metric, **options), args.out)
        else:
            export.save_torchscript(export.to_torchscript(metric, **options), args.out)
    except (OSError, ValueError, TypeError, RuntimeError, ImportError) as error:
        print(f"invariant-lpips export: error: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    print(args.out)
    return 0


def _size(text: str) -> tuple[int, int]:
    """(height, width) from N or WxH."""
    parts = text.lower().split("x")
    if len(parts) > 2 or not all(part.isdecimal() and int(part) > 0 for part in parts):
        raise argparse.ArgumentTypeError(f"expected N or WIDTHxHEIGHT in pixels, but got {text!r}")
    return int(parts[-1]), int(parts[0])
