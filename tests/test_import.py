"""`import invariant_lpips` costs next to nothing, and what a metric doesn't need isn't loaded for it."""

from __future__ import annotations

import json
import pydoc
import subprocess
import sys

import pytest

import invariant_lpips

HEAVY = (
    "torchvision",
    "scipy",
    "PIL",
    "huggingface_hub",
    "safetensors",
    "skimage",
    "matplotlib",
    "tqdm",
    "requests",
)


def run(program: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def loaded_by(statement: str) -> set[str]:
    """Top-level packages that `statement` loads on top of torch."""
    program = (
        "import json, sys, torch\n"
        "before = set(sys.modules)\n"
        f"{statement}\n"
        "print(json.dumps(sorted({name.split('.')[0] for name in set(sys.modules) - before})))"
    )
    return set(json.loads(run(program)))


def test_import_loads_nothing_heavy():
    assert loaded_by("import invariant_lpips") & {*HEAVY, "numpy"} == set()


def test_metrics_load_nothing_heavy():
    statement = (
        "from invariant_lpips import LPIPS; import torch; LPIPS()(*torch.rand(2, 1, 3, 32, 32) * 2 - 1)"
    )
    assert loaded_by(statement) & set(HEAVY) <= {"safetensors"}


def test_the_compiler_is_not_loaded_for_measuring():
    statement = (
        "import invariant_lpips.cli.compare as c; from invariant_lpips import InvariantLPIPS; InvariantLPIPS"
    )
    print_it = "print('torch._dynamo' in sys.modules)"
    assert run(f"import sys, torch\n{statement}\n{print_it}").strip() == "False", (
        "it takes as long as torch itself"
    )


def test_import_is_quick():
    # Measured 0.003 s on an idle core; the least of several tries, since a busy machine only adds.
    program = (
        "import sys, time, torch\n"
        "def seconds():\n"
        "    for name in [name for name in sys.modules if name.startswith('invariant_lpips')]:\n"
        "        del sys.modules[name]\n"
        "    start = time.perf_counter()\n"
        "    import invariant_lpips\n"
        "    return time.perf_counter() - start\n"
        "print(min(seconds() for _ in range(5)))"
    )
    assert float(run(program)) < 0.1


@pytest.mark.parametrize("name", invariant_lpips.__all__)
def test_public_names_are_there(name):
    assert getattr(invariant_lpips, name) is not None
    assert name in dir(invariant_lpips)


def test_unknown_names_are_refused():
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        _ = invariant_lpips.nothing


def test_only_public_names_are_listed():
    assert dir(invariant_lpips) == sorted(invariant_lpips.__all__)


def test_the_metric_that_people_write_first():
    assert invariant_lpips.InvariantLPIPS(net="alex").net_name == "alex"


def test_help_shows_the_arguments():
    for name in ("InvariantLPIPS", "LPIPS"):
        page = pydoc.render_doc(getattr(invariant_lpips, name), renderer=pydoc.plaintext)
        assert f"{name}(" in page
        for argument in ("net:", "normalize:", "checks:"):
            assert argument in page or (name, argument) == ("LPIPS", "normalize:")
