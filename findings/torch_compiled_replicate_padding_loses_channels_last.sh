#!/usr/bin/env bash
# Compiled, the gradient of a replicating pad of a channels-last picture is refused; eager, it is right.
#
# Expected: torch.compile gives what the function gives. Padding by repeating the border is what filters of pictures
# do, and channels-last is the order that convolutions on a CPU are advised to have.
# Seen (2026-11-29; torch 2.14.1, CPU, the default backend): forward agrees; backward raises an AssertionError that the
# gradient of the pad has other strides than the code was made for. In the ordinary order of dimensions it agrees, and
# so does padding with zeros. Eager, all four do.
# For a metric as a compiled loss: a low-pass with replicated borders must bring its picture to the ordinary order first.
#
# Output, and the script fails if it changes:
#   replicate channels-last forward agrees, gradient AssertionError
#   replicate contiguous forward agrees, gradient agrees
#   constant channels-last forward agrees, gradient agrees
#   constant contiguous forward agrees, gradient agrees
set -euo pipefail
command -v g++ >/dev/null || { echo "g++ is needed: torch.compile makes C++ of what it compiles" >&2; exit 1; }
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet torch==2.14.1 numpy==2.4.6
cd "$folder"
TORCHINDUCTOR_CACHE_DIR="$folder/cache" "$folder/venv/bin/python" - <<'PYTHON' | tee seen
import torch
import torch.nn.functional as F

ORDERS = {"channels-last": torch.channels_last, "contiguous": torch.contiguous_format}


def agreed(first, second):
    return "agrees" if torch.allclose(first, second, rtol=1e-5) else "differs"


for mode in ("replicate", "constant"):
    for name, order in ORDERS.items():

        def energy(x, mode=mode, order=order):
            return F.pad(x.to(memory_format=order), (1, 1, 1, 1), mode=mode).square().sum()

        torch.compiler.reset()
        picture = torch.rand(2, 3, 8, 9, generator=torch.Generator().manual_seed(0))
        x, y = picture.clone().requires_grad_(), picture.clone().requires_grad_()
        plain, compiled = energy(x), torch.compile(energy)(y)
        plain.backward()
        try:
            compiled.backward()
            gradient = agreed(x.grad, y.grad)
        except Exception as error:
            gradient = type(error).__name__
        print(mode, name, "forward", agreed(plain, compiled) + ",", "gradient", gradient)
PYTHON
diff seen - <<'EXPECTED'
replicate channels-last forward agrees, gradient AssertionError
replicate contiguous forward agrees, gradient agrees
constant channels-last forward agrees, gradient agrees
constant contiguous forward agrees, gradient agrees
EXPECTED
