#!/usr/bin/env bash
# What needs a CUDA card, in at most eight minutes: first that it is right, then times and memory beside other packages.
#
#     pip install -e '.[test,bench]' && bash benchmarks/gpu.sh
#
# Writes benchmarks/results/gpu_tests.txt and speed_cuda.json, and tables and a plot into docs/speed.md. Cases of the benchmark
# are run in the order of their worth until time is up, and a second run goes on with what the first had no time for;
# CASES='^cuda' asks for all of them, in about half an hour of runs. DEVICE=cpu tries the script where there is no card; TESTS
# and CASES (patterns), OUT, PAGE and PYTHON stand for what else may be chosen.
set -eu -o pipefail
cd "$(dirname "$0")/.."
device=${DEVICE:-cuda} out=${OUT:-benchmarks/results} python=${PYTHON:-python}
page=${PAGE:-docs/speed.md}
if [ "$device" = cpu ]; then page=${PAGE:-}; fi # a trial leaves the page alone
# What time may cut stands last. Each case is a process that takes some seconds to begin.
worth=(
    "floors|forward 512 16" # what was aimed at, in every precision
    "loss 512 16"
    "memory forward 512 16 (lpips-vgg|regional|gap)"
    "memory loss 512 16 (lpips-vgg|(regional|gap)[+](reference|checkpointing))"
    "forward (64|1024) 1" # the range of sizes
    "pairwise 64"
    "forward 256 1"
    "compiled 256 1"
    "memory forward 512 16 (regional[+](alex|pixels)|regional-32[+]alex[+]motion|torchmetrics-vgg|piq-vgg|dists)"
    "forward (64 32|256 8)|loss 256 2"
    "memory loss 512 16 (regional|gap|regional[+](alex|pixels)[+]reference|torchmetrics-vgg|piq-vgg|dists)"
)
if [ -n "${CASES:-}" ]; then wanted=("$CASES"); else wanted=("${worth[@]/#/^$device (}") && wanted=("${wanted[@]/%/)\$}"); fi
mkdir -p "$out"

"$python" - "$device" <<'EOF'
import importlib.util
import sys

import torch

if sys.argv[1] not in ("cuda", "cpu"):
    sys.exit(f"DEVICE must be cuda or cpu, but got {sys.argv[1]!r}; CUDA_VISIBLE_DEVICES chooses a card.")
if sys.argv[1] == "cuda" and not torch.cuda.is_available():
    sys.exit("gpu.sh needs a CUDA card that this PyTorch sees, and there is none; DEVICE=cpu tries the script without.")
missing = [name for name in ("lpips", "matplotlib", "pytest", "skimage") if importlib.util.find_spec(name) is None]
if missing:
    sys.exit(f"gpu.sh needs {' and '.join(missing)}: pip install -e '.[test,bench]'")
if sys.argv[1] == "cuda":
    print(torch.cuda.get_device_name(), "torch", torch.__version__, "CUDA", torch.version.cuda, "cuDNN", torch.backends.cudnn.version())
EOF

# A failure is written down and passed on at the end: the figures are worth having all the same.
failed=0
INVARIANT_LPIPS_TEST_DEVICE=$device timeout -k 5 165 "$python" -m pytest -p no:cacheprovider tests/test_cuda.py \
    -k "${TESTS:-test}" -rs 2>&1 | tee "$out/gpu_tests.txt" || failed=1
result=$out/speed_$device.json
speed() { timeout -k 5 "$1" "$python" benchmarks/speed.py -o "$result" --budget 2 --round-seconds 10 "${@:2}"; }
for pattern in "${wanted[@]}"; do
    if [ $SECONDS -ge 390 ]; then
        echo "time is up before $pattern; the same command goes on from here"
        continue
    fi
    speed $((425 - SECONDS)) --seconds $((390 - SECONDS)) --only "$pattern" || [ $? = 124 ] || failed=1 # 124: time was up
done
# Beginning no case: what was measured goes into the page.
speed 45 --seconds 0 --only "^$device floors\$" ${page:+--page "$page"} || failed=1
"$python" - "$result" <<'EOF' || failed=1
import json
import sys

cases = json.load(open(sys.argv[1]))["cases"]
failed = [name for name, case in cases.items() if "failed" in case]
sys.exit(f"failed, and tried again by the next run: {', '.join(failed)}" if failed else 0)
EOF
exit $failed
