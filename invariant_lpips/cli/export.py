"""`invariant-lpips export onnx | pt2 | torchscript -o FILE`: the metric as a file for other runtimes."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from invariant_lpips.cli.metric_options import MetricChoice, add_metric_options
from invariant_lpips.cli.output import Exit, check_out, print_text, say
from invariant_lpips.cli.sizes import width_and_height


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command to its parser."""
    parser.add_argument(
        "format",
        choices=("onnx", "pt2", "torchscript"),
        help="onnx (compared with the metric in ONNX Runtime), pt2 (torch.export) or torchscript (a trace)",
    )
    parser.add_argument("-o", "--out", type=Path, required=True, metavar="FILE", help="where to write")
    # Not where it runs: a graph is made on the CPU in float32 and runs anywhere.
    add_metric_options(parser)
    parser.add_argument("--normalize", action="store_true", help="images in [0, 1] instead of [-1, 1]")
    parser.add_argument("--embed", action="store_true", help="export the embedding of one image")
    parser.add_argument(
        "--size",
        type=width_and_height,
        metavar="N|WxH",
        help="fix the size of the images; by default it stays free, which not every head allows",
    )
    parser.add_argument("--no-check", action="store_true", help="onnx: do not compare with the metric")


def run(args: argparse.Namespace) -> Exit:
    """Write the file and print its path."""
    check_out(args.out)
    if args.motion is not None:
        raise ValueError(
            "--motion decides pair by pair what moved, which no exported graph holds; leave it out"
        )
    metric = MetricChoice.of(args).build()
    from invariant_lpips.integrations import export  # torch, which help and complaints don't wait for

    say("export", metric.describe())
    size = None if args.size is None else args.size[::-1]  # (height, width)
    what: dict[str, Any] = {"normalize": args.normalize, "embed": args.embed, "size": size}
    if args.format == "onnx":
        export.to_onnx(metric, args.out, **what, tolerance=None if args.no_check else 1e-4)
    elif args.format == "pt2":
        export.save_program(export.to_program(metric, **what), args.out)
    else:
        export.save_torchscript(export.to_torchscript(metric, **what), args.out)
    print_text(f"{args.out}\n")
    return Exit.DONE
