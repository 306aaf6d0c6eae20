"""What a release must hold: contents of wheel and sdist, two builds alike, an install that works anywhere.

The quick tests read files. `INVARIANT_LPIPS_PACKAGING_TESTS=1` builds both distributions twice and installs
the wheel beside the packages of this environment; `=full` installs it with its dependencies into an empty
environment instead, as a user does (minutes, and a download of torch).
"""

from __future__ import annotations

import configparser
import os
import re
import subprocess
import sys
import sysconfig
import tarfile
import venv
import zipfile
from pathlib import Path, PurePosixPath

import pytest

ROOT = Path(__file__).resolve().parent.parent
ASKED = os.environ.get("INVARIANT_LPIPS_PACKAGING_TESTS", "")
asked = pytest.mark.skipif(
    ASKED not in ("1", "full"), reason="set INVARIANT_LPIPS_PACKAGING_TESTS to 1 or full"
)
checkout = pytest.mark.skipif(not (ROOT / ".git").exists(), reason="needs a git checkout")

SNIPPET = """
from __future__ import annotations

import torch
from torch import Tensor

import invariant_lpips as il

metric: il.InvariantLPIPS = il.InvariantLPIPS(net="vgg", head="gap", normalize=True)
x = torch.rand(1, 3, 64, 64)
vector: Tensor = metric.embed(x)
matrix: Tensor = metric.pairwise(x)
side: il.Reference = metric.reference(x)
name: str = metric.describe()
image: Tensor = il.read_image("a.png")
stock = il.LPIPS(net="alex")
stock(x, x, normalize=True)
il.LPIPS(nett="alex")  # type: ignore[call-arg]
"""

USE = """
import sys
from pathlib import Path

import torch

import invariant_lpips as il

assert Path(il.__file__).is_relative_to(sys.prefix), il.__file__
x = torch.linspace(-1, 1, 3 * 64 * 64).view(1, 3, 64, 64)
for metric in (il.InvariantLPIPS(head="gap", weights="unit"), il.LPIPS(net="vgg"), il.LPIPS(net="alex")):
    assert metric(x, x.flip(-1)).item() > 0
    assert "[" in metric.describe()
"""

DRAW = """
from PIL import Image

Image.effect_noise((64, 64), 80).save("a.png")
Image.new("L", (64, 64)).save("b.png")
"""


def run(*command: str | Path, cwd: Path = ROOT, **environment: str) -> str:
    """Output of a command that must end well; nothing of the checkout is on its path."""
    clean = {key: value for key, value in os.environ.items() if not key.startswith(("PYTHON", "COV"))}
    result = subprocess.run(
        [str(part) for part in command], cwd=cwd, env=clean | environment, capture_output=True, text=True
    )
    assert result.returncode == 0, f"{command}\n{result.stdout}\n{result.stderr}"
    return result.stdout


def tracked(*folders: str) -> set[str]:
    return set(run("git", "ls-files", "--", *folders).splitlines())


def version() -> str:
    found = re.search(r'__version__ = "([^"]+)"', (ROOT / "invariant_lpips" / "_version.py").read_text())
    assert found
    return found[1]


def test_one_version():
    assert f"\nversion: {version()}\n" in (ROOT / "CITATION.cff").read_text()
    changelog = (ROOT / "CHANGELOG.md").read_text()
    released = re.findall(r"^## \[(\d[^\]]*)\] - \d{4}-\d\d-\d\d$", changelog, re.MULTILINE)
    assert "## [Unreleased]" in changelog
    assert not released or released[0] == version()


def test_workflows_are_yaml_and_name_no_owner():
    yaml = pytest.importorskip("yaml")
    for path in [*(ROOT / ".github" / "workflows").glob("*.yml"), ROOT / ".pre-commit-config.yaml"]:
        text = path.read_text()
        assert yaml.safe_load(text)
        assert set(re.findall(r"uses: ([\w-]+)/", text)) <= {"actions", "pypa"}
        assert "secrets." not in text


@checkout
def test_weights_have_licences_and_cards():
    weights = tracked("weights")
    assert {
        "weights/licences/lpips-BSD-2-Clause.txt",
        "weights/licences/torchvision-BSD-3-Clause.txt",
    } <= weights
    cards = " ".join((ROOT / name).read_text() for name in weights if name.endswith(".md"))
    for name in weights:
        if name.endswith(".safetensors"):
            assert PurePosixPath(name).name in cards, f"{name} has no card"


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Wheel and sdist of the tracked files, whatever else lies in the checkout."""
    source = tmp_path_factory.mktemp("source")
    with zipfile.ZipFile(source / "tree.zip", "w") as archive:
        for name in sorted(tracked()):
            if (ROOT / name).exists():
                archive.write(ROOT / name, name)
    with zipfile.ZipFile(source / "tree.zip") as archive:
        archive.extractall(source / "tree")
    out = tmp_path_factory.mktemp("dist")
    build(source / "tree", out)
    return out


def build(tree: Path, out: Path, *targets: str) -> None:
    pytest.importorskip("build", reason="pip install build")
    try:
        import hatchling  # noqa: F401

        isolation = ["--no-isolation"]
    except ImportError:
        isolation = []
    run(
        sys.executable,
        "-m",
        "build",
        *isolation,
        *targets,
        "--outdir",
        out,
        tree,
        SOURCE_DATE_EPOCH="1700000000",
    )


def wheel_of(folder: Path) -> Path:
    (wheel,) = folder.glob("*.whl")
    return wheel


def sdist_of(folder: Path) -> Path:
    (sdist,) = folder.glob("*.tar.gz")
    return sdist


@asked
@checkout
def test_wheel_contents(built):
    with zipfile.ZipFile(wheel_of(built)) as archive:
        names = set(archive.namelist())
        info = f"invariant_lpips-{version()}.dist-info"
        metadata = archive.read(f"{info}/METADATA").decode()
        scripts = configparser.ConfigParser()
        scripts.read_string(archive.read(f"{info}/entry_points.txt").decode())
    moved = tracked("weights") | {f"benchmarks/results/tid2013{part}.json" for part in ("", "_all_types")}
    expected = {name for name in tracked("invariant_lpips") if (ROOT / name).exists()}
    expected |= {
        f"invariant_lpips/_data/{name.removeprefix('benchmarks/')}"
        for name in moved
        if (ROOT / name).exists()
    }
    assert {name for name in names if not name.startswith(info)} == expected
    assert "invariant_lpips/py.typed" in names
    assert "invariant_lpips/_data/weights/vgg16.safetensors" in names
    assert f"{info}/licenses/LICENSE" in names
    assert scripts["console_scripts"]["invariant-lpips"] == "invariant_lpips.cli:main"
    assert f"\nVersion: {version()}\n" in metadata
    assert "\nLicense-Expression: Apache-2.0\n" in metadata
    assert wheel_of(built).name == f"invariant_lpips-{version()}-py3-none-any.whl"
    assert wheel_of(built).stat().st_size < 100e6, "PyPI's limit for a file"


@asked
@checkout
def test_sdist_contents(built):
    with tarfile.open(sdist_of(built)) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    for wanted in ("pyproject.toml", "LICENSE", "CHANGELOG.md", "README.md", "Makefile", "weights/vgg16.md"):
        assert wanted in names
    assert "tests/test_packaging.py" in names
    assert not [name for name in names if "__pycache__" in name]


@asked
@checkout
def test_builds_are_reproducible_and_the_sdist_builds_the_same_wheel(built, tmp_path):
    with tarfile.open(sdist_of(built)) as archive:
        archive.extractall(tmp_path, filter="data")
    build(next(tmp_path.glob("invariant_lpips-*")), tmp_path / "again")
    for find in (wheel_of, sdist_of):
        assert find(built).read_bytes() == find(tmp_path / "again").read_bytes()


@asked
@checkout
def test_twine_finds_nothing(built):
    pytest.importorskip("twine", reason="pip install twine")
    run(sys.executable, "-m", "twine", "check", "--strict", wheel_of(built), sdist_of(built))


@pytest.fixture(scope="module")
def installed(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of an environment that holds the wheel."""
    place = tmp_path_factory.mktemp("environment")
    venv.create(place, with_pip=True)
    scripts = place / ("Scripts" if os.name == "nt" else "bin")
    python = scripts / "python"
    if ASKED == "full":
        run(python, "-m", "pip", "install", "--quiet", wheel_of(built))
    else:
        purelib = run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))").strip()
        # Behind the environment's own folder: what is found there first is the wheel.
        (Path(purelib) / "parent.pth").write_text(sysconfig.get_path("purelib"))
        run(python, "-m", "pip", "install", "--quiet", "--no-deps", wheel_of(built))
    return python


@asked
@checkout
def test_install_works_from_any_folder(installed, tmp_path):
    offline = {"HF_HUB_OFFLINE": "1", "XDG_CACHE_HOME": str(tmp_path / "cache"), "HOME": str(tmp_path)}
    run(installed, "-W", "error::DeprecationWarning:invariant_lpips", "-c", USE, cwd=tmp_path, **offline)
    command = installed.with_name("invariant-lpips")
    assert version() in run(command, "--version", cwd=tmp_path)
    listed = run(command, "weights", "verify", "vgg16", "alexnet", "lpips-vgg-v0.1", cwd=tmp_path, **offline)
    assert listed.count("ok ") == 3
    run(installed, "-c", DRAW, cwd=tmp_path)
    assert (
        float(run(command, "compare", "a.png", "b.png", "--head", "gap", "--weights", "unit", cwd=tmp_path))
        > 0.01
    )
    run(command, "bench", "--help", cwd=tmp_path)
    for bench in ("kadid10k", "raid", "tid2013", "bapps", "csv", "ladder", "translation", "speed"):
        run(command, "bench", bench, "--help", cwd=tmp_path)
    (tmp_path / "pairs.csv").write_text("reference,distorted,score\na.png,a.png,5\na.png,b.png,1\n")
    options = ["--metrics", "psnr", "--no-cache", "--resamples", "0", "--quiet"]
    assert "SRCC" in run(command, "bench", "csv", "--root", "pairs.csv", *options, cwd=tmp_path)


@asked
@checkout
def test_downstream_code_type_checks(installed, tmp_path):
    pytest.importorskip("mypy", reason="pip install mypy")
    (tmp_path / "downstream.py").write_text(SNIPPET)
    command = ["-m", "mypy", "--strict", "--python-executable", str(installed), "downstream.py"]
    assert "Success" in run(sys.executable, *command, cwd=tmp_path)
