#!/usr/bin/env python3
"""Make weights/vgg16-final-gap.safetensors and weights/vgg16-multi-gap.safetensors from training runs.

    invariant-lpips train backbone --data caltech101-256 --head final-gap --seed 0 --out runs/final-gap-0   # and 1, 2
    python weights/make_classifiers.py runs/final-gap-* runs/multi-gap-*

Of each head the seed of the best validation accuracy is taken (the test split has no say). The file holds the
linear layer and, in its header, the config; the frozen trunk is named there with its hash.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from invariant_lpips.classifier import GAPClassifier  # noqa: E402
from invariant_lpips.files.writing import replacing  # noqa: E402


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("runs", type=Path, nargs="+", help="folders that `train backbone` wrote")
    parser.add_argument("--out", type=Path, default=HERE, help="default: weights/")
    args = parser.parse_args()
    results = {run: json.loads((run / "result.json").read_text()) for run in args.runs}
    for head in dict.fromkeys(result["head"] for result in results.values()):
        runs = [run for run in args.runs if results[run]["head"] == head]
        best = max(runs, key=lambda run: results[run]["val_accuracy"])
        data = GAPClassifier.from_pretrained(best / "model").as_file()
        path = args.out / f"vgg16-{head}.safetensors"
        with replacing(path) as temporary:
            temporary.write_bytes(data)
        result = results[best]
        print(
            f"{hashlib.sha256(data).hexdigest()}  {path.name}  {len(data)} bytes  seed {result['seed']}, "
            f"{result['classes']} classes, val {result['val_accuracy']:.4f}, test {result['test_accuracy']:.4f}"
        )


if __name__ == "__main__":
    main()
