"""The registry: where a file is looked for, and that only the registered bytes are ever used."""

from __future__ import annotations

import hashlib
import os
import pickle
import random
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from invariant_lpips import registry
from invariant_lpips.cli import main
from invariant_lpips.files.safetensors import safetensors_bytes
from invariant_lpips.registry import download as hub
from invariant_lpips.registry import finding

PACKAGE = Path(registry.__file__).parent.parent
TINY = {"features.0.weight": torch.arange(12.0).view(1, 3, 2, 2), "features.0.bias": torch.tensor([0.5])}


@pytest.fixture(autouse=True)
def _isolated(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in (registry.FOLDER_VARIABLE, hub.REPO_VARIABLE, "HF_HUB_OFFLINE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv(hub.CACHE_VARIABLE, str(tmp_path / "cache"))
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path / "torch-hub"))


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> bytes:
    """The bytes of a registered file `tiny` that exists nowhere yet."""
    data = safetensors_bytes(TINY)
    entry = registry.Entry("tiny.safetensors", hashlib.sha256(data).hexdigest(), "Apache-2.0", "for tests")
    monkeypatch.setitem(registry.ENTRIES, "tiny", entry)
    return data


def put(folder: Path, data: bytes, name: str = "tiny.safetensors") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(data)
    return folder / name


def test_looked_for_in_environment_then_wheel_then_checkout_then_cache(
    tiny: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "checkout" / "invariant_lpips"
    package.mkdir(parents=True)
    monkeypatch.setattr(finding, "__file__", str(package / "registry" / "finding.py"))
    cached = put(tmp_path / "cache", tiny)
    assert registry.weights_path("tiny") == cached
    checkout = put(package.parent / "weights", tiny)
    assert registry.weights_path("tiny") == cached  # a stranger's folder: no pyproject.toml beside it
    (package.parent / "pyproject.toml").touch()
    assert registry.weights_path("tiny") == checkout
    wheel = put(package / "_data" / "weights", tiny)
    assert registry.weights_path("tiny") == wheel
    own = put(tmp_path / "own", tiny)
    monkeypatch.setenv(registry.FOLDER_VARIABLE, str(own.parent))
    assert registry.weights_path("tiny") == own


def test_installed_layout_works_and_imports_nothing_heavy(tmp_path: Path) -> None:
    site = tmp_path / "site"
    (site / "invariant_lpips" / "_data").mkdir(parents=True)
    shutil.copy(PACKAGE / "_version.py", site / "invariant_lpips")
    for folder in ("registry", "files"):
        shutil.copytree(PACKAGE / folder, site / "invariant_lpips" / folder)
    (site / "invariant_lpips" / "__init__.py").touch()
    source = registry.weights_path("lpips-alex-v0.1").parent
    wheel = site / "invariant_lpips" / "_data" / "weights"
    wheel.mkdir()
    shutil.copy(source / "lpips-alex-v0.1.safetensors", wheel)
    code = (
        "import sys; from invariant_lpips import registry\n"
        "heavy = {'torchvision', 'huggingface_hub', 'safetensors', 'scipy', 'PIL'} & set(sys.modules)\n"
        "print(registry.weights_path('lpips-alex-v0.1'), heavy or '')"
    )
    environment = {**os.environ, "PYTHONPATH": str(site), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=environment,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == str(wheel / "lpips-alex-v0.1.safetensors")


def test_environment_variable_must_name_a_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(registry.FOLDER_VARIABLE, str(tmp_path / "nowhere"))
    with pytest.raises(FileNotFoundError, match="INVARIANT_LPIPS_WEIGHTS must name a folder"):
        registry.load_weights("vgg16")


@pytest.mark.parametrize("kind", ["tampered", "truncated", "swapped"])
def test_a_file_that_is_not_the_registered_one_is_refused(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    right = registry.weights_path("lpips-vgg-v0.1").read_bytes()
    wrong = {
        "tampered": right[:-1] + bytes([right[-1] ^ 1]),
        "truncated": right[:-100],
        "swapped": registry.weights_path("lpips-vgg-v0.0").read_bytes(),  # the same names and shapes
    }[kind]
    put(tmp_path / "own", wrong, "lpips-vgg-v0.1.safetensors")
    monkeypatch.setenv(registry.FOLDER_VARIABLE, str(tmp_path / "own"))
    expected, found = hashlib.sha256(right).hexdigest(), hashlib.sha256(wrong).hexdigest()
    with pytest.raises(ValueError, match=f"expected sha256 {expected}, but found {found}; replace it"):
        registry.load_weights("lpips-vgg-v0.1")
    with pytest.raises(ValueError, match="changed, truncated or swapped"):
        registry.weights_path("lpips-vgg-v0.1")


def test_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(ValueError, match=r"one of vgg16, alexnet, .* but got 'vgg19'"):
        registry.load_weights("vgg19")


def test_own_file_is_read_and_its_hash_reported(tmp_path: Path) -> None:
    path = put(tmp_path, safetensors_bytes({"w": torch.ones(3, dtype=torch.float16)}), "mine.safetensors")
    assert registry.load_weights(path)["w"].dtype == torch.float32
    assert registry.load_weights(str(path), dtype=None)["w"].dtype == torch.float16
    assert registry.weights_hash(path) == hashlib.sha256(path.read_bytes()).hexdigest()[:12]
    assert registry.tensors_hash(registry.load_weights(path, dtype=None)) == registry.weights_hash(path)


def test_own_file_must_be_finite_floats_in_safetensors(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="there is none"):
        registry.load_weights(tmp_path / "absent.safetensors")
    with pytest.raises(ValueError, match="must hold finite"):
        registry.load_weights(
            put(tmp_path, safetensors_bytes({"w": torch.tensor([float("nan")])}), "nan.safetensors")
        )
    integers = b'{"w":{"dtype":"I32","shape":[1],"data_offsets":[0,4]}}'
    whole = len(integers).to_bytes(8, "little") + integers + bytes(4)
    with pytest.raises(ValueError, match=r"torch.int32"):
        registry.load_weights(put(tmp_path, whole, "integers.safetensors"))


def test_no_pickle_is_ever_opened(tmp_path: Path) -> None:
    class Bomb:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return os.mkdir, (str(tmp_path / "exploded"),)

    for name in ("w.pth", "w.pt", "w.safetensors"):
        (tmp_path / name).write_bytes(pickle.dumps(Bomb()))
        with pytest.raises(ValueError, match="safetensors"):
            registry.load_weights(tmp_path / name)
    assert not (tmp_path / "exploded").exists()


def test_mutated_files_give_finite_tensors_or_a_value_error(tmp_path: Path) -> None:
    original = safetensors_bytes(TINY)
    generator = random.Random(0)
    refused = 0
    for _ in range(500):
        data = bytearray(original)
        for _ in range(generator.randint(1, 4)):
            data[generator.randrange(len(data))] = generator.randrange(256)
        path = put(tmp_path, bytes(data[: generator.randint(0, 2 * len(data))]), "mutant.safetensors")
        try:
            tensors = registry.load_weights(path)
        except ValueError:
            refused += 1
        else:
            assert all(torch.isfinite(tensor).all() for tensor in tensors.values())
    assert refused > 200


class FakeHub:
    """Stands for huggingface_hub.hf_hub_download: remembers what it was asked, gives a file or raises."""

    def __init__(self, path: Path, error: Exception | None = None) -> None:
        self.path, self.error, self.asked = path, error, {}

    def __call__(self, repo: str, file: str, **options: object) -> str:
        self.asked = {"repo": repo, "file": file, **options}
        if self.error is not None:
            raise self.error
        return str(self.path)


def test_no_repository_is_built_in() -> None:
    assert hub.HUB_REPO is None
    assert hub.repository() is None


def test_hub_gets_revision_cache_token_and_offline(
    tiny: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake = FakeHub(put(tmp_path / "downloaded", tiny))
    monkeypatch.setattr("huggingface_hub.hf_hub_download", fake)
    monkeypatch.setenv(hub.REPO_VARIABLE, "someone/something@abc123")
    assert registry.weights_path("tiny") == fake.path
    assert (fake.asked["repo"], fake.asked["file"]) == ("someone/something", "tiny.safetensors")
    assert (fake.asked["revision"], fake.asked["local_files_only"]) == ("abc123", False)
    access = hub.Access(revision="v2", cache_dir=tmp_path / "c", token="secret", force_download=True)
    registry.load_weights("tiny", access=access)
    assert fake.asked["revision"] == "v2"
    assert fake.asked["cache_dir"] == tmp_path / "c"
    assert fake.asked["token"] == "secret"
    assert fake.asked["force_download"] is True
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    registry.load_weights("tiny")
    assert fake.asked["local_files_only"] is True


def test_what_the_hub_sends_is_verified(tiny: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake = FakeHub(put(tmp_path / "downloaded", tiny[:-1]))
    monkeypatch.setattr("huggingface_hub.hf_hub_download", fake)
    monkeypatch.setenv(hub.REPO_VARIABLE, "someone/something")
    with pytest.raises(ValueError, match=r"found [0-9a-f]{64}; fetch it anew with .*download tiny --force"):
        registry.load_weights("tiny")


def test_unreachable_file_says_so_in_one_sentence(
    tiny: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(
        FileNotFoundError, match=r"'tiny' .* do not come with the package .*no Hub repository"
    ):
        registry.load_weights("tiny")
    fake = FakeHub(tmp_path, error=RuntimeError("403 Forbidden.\nlong tail"))
    monkeypatch.setattr("huggingface_hub.hf_hub_download", fake)
    monkeypatch.setenv(hub.REPO_VARIABLE, "someone/something")
    with pytest.raises(FileNotFoundError) as caught:
        registry.load_weights("tiny")
    message = str(caught.value)
    assert "the Hub repository someone/something failed (RuntimeError: 403 Forbidden))" in message
    assert "INVARIANT_LPIPS_WEIGHTS" in message
    assert "\n" not in message


def test_squeezenet_offline_names_what_is_wanted_and_how_to_give_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(
        FileNotFoundError, match=r"'squeezenet1_1' .*offline.* pass a path to squeezenet1_1.safe"
    ):
        registry.load_weights("squeezenet1_1")


@pytest.fixture
def published(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file as torchvision publishes it, on a server of its own (a folder), registered as `tiny`."""
    path = tmp_path / "server" / "tiny-0.pth"
    path.parent.mkdir()
    torch.save({**TINY, "classifier.weight": torch.ones(2)}, path, _use_new_zipfile_serialization=False)
    monkeypatch.setattr(hub, "TORCHVISION_FOLDER", path.parent.as_uri())
    monkeypatch.setitem(hub.TORCHVISION, path.name, hashlib.sha256(path.read_bytes()).hexdigest())
    sha256 = hashlib.sha256(safetensors_bytes(TINY)).hexdigest()
    entry = registry.Entry("tiny.safetensors", sha256, "BSD-3-Clause", "for tests", path.name)
    monkeypatch.setitem(registry.ENTRIES, "tiny", entry)
    return path


def test_torchvision_file_becomes_the_registered_one(published: Path, tmp_path: Path) -> None:
    tensors = registry.load_weights("tiny")
    assert set(tensors) == set(TINY)
    assert all(torch.equal(tensors[name], TINY[name]) for name in TINY)
    assert registry.weights_path("tiny") == tmp_path / "cache" / "tiny.safetensors"
    published.unlink()
    shutil.rmtree(tmp_path / "torch-hub")
    assert registry.weights_hash("tiny") == registry.tensors_hash(
        registry.load_weights("tiny")
    )  # from the cache


def test_torchvision_cache_is_verified_at_every_use(published: Path, tmp_path: Path) -> None:
    kept = put(tmp_path / "torch-hub" / "checkpoints", b"not what torchvision published", published.name)
    with pytest.raises(FileNotFoundError, match="is not there or not torchvision's"):
        registry.load_weights("tiny", access=hub.Access(local_files_only=True))
    registry.load_weights("tiny")
    assert kept.read_bytes() == published.read_bytes()


def test_torchvision_server_sending_something_else_is_refused(published: Path) -> None:
    published.write_bytes(published.read_bytes() + b"x")
    with pytest.raises(FileNotFoundError, match="invalid hash value"):
        registry.load_weights("tiny")


def test_a_file_without_registered_hash_is_made_anew_and_never_taken_from_the_hub(
    published: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = registry.Entry("tiny.safetensors", None, "BSD-3-Clause", "for tests", published.name)
    monkeypatch.setitem(registry.ENTRIES, "tiny", entry)
    monkeypatch.setenv(hub.REPO_VARIABLE, "someone/something")
    fake = FakeHub(put(tmp_path / "downloaded", safetensors_bytes({"features.0.bias": torch.ones(1)})))
    monkeypatch.setattr("huggingface_hub.hf_hub_download", fake)
    put(tmp_path / "cache", safetensors_bytes({"features.0.bias": torch.zeros(1)}))
    assert torch.equal(registry.load_weights("tiny")["features.0.bias"], TINY["features.0.bias"])
    assert not fake.asked


def test_unwritable_cache_names_the_variable(
    published: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    blocked = put(tmp_path, b"", "a-file")
    monkeypatch.setenv(hub.CACHE_VARIABLE, str(blocked))
    with pytest.raises(FileNotFoundError, match="name another folder in INVARIANT_LPIPS_CACHE"):
        registry.load_weights("tiny")


def test_canonical_bytes_are_safetensors_and_do_not_depend_on_order() -> None:
    from safetensors.torch import load

    tensors = {
        "z": torch.randn(2, 3, dtype=torch.float64),
        "b": torch.randn(5).half(),
        "a": torch.empty(0, 3),
    }
    data = safetensors_bytes(tensors, metadata={"from": "here", "by": "us"})
    back = load(data)
    assert set(back) == set(tensors)
    assert all(torch.equal(back[name], tensors[name]) for name in tensors)
    reordered = {name: tensors[name] for name in reversed(tensors)}
    assert safetensors_bytes(reordered, metadata={"by": "us", "from": "here"}) == data
    transposed = torch.arange(6.0).view(2, 3).t()
    assert torch.equal(load(safetensors_bytes({"t": transposed}))["t"], transposed)
    with pytest.raises(TypeError, match=r"'n' must be floating point .* torch.int64"):
        safetensors_bytes({"n": torch.arange(2)})


def run(*arguments: str) -> int:
    return main(["weights", *arguments])


def test_command_lists_paths_verifies_and_downloads(
    tiny: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("list") == 0
    assert "vgg16-float32" in capsys.readouterr().out
    assert run("path", "lpips-vgg-v0.1") == 0
    assert capsys.readouterr().out.strip().endswith("lpips-vgg-v0.1.safetensors")
    assert run("verify", "lpips-vgg-v0.1", "lpips-alex-v0.0") == 0
    assert capsys.readouterr().out.count("ok") == 2
    assert run("verify", "tiny") == 1
    assert "absent" in capsys.readouterr().out
    put(tmp_path / "cache", tiny[:-1])
    assert run("verify", "tiny") == 1
    assert "WRONG" in capsys.readouterr().out
    assert run("download", "lpips-vgg-v0.1") == 0
    assert "not published" in capsys.readouterr().err
    assert run("path", "nothing") == 2
    output = capsys.readouterr()
    assert not output.out
    assert "must be one of" in output.err
    fake = FakeHub(put(tmp_path / "downloaded", tiny))
    monkeypatch.setattr("huggingface_hub.hf_hub_download", fake)
    monkeypatch.setenv(hub.REPO_VARIABLE, "someone/something")
    assert run("download", "tiny", "--force") == 0
    assert capsys.readouterr().out.strip() == str(fake.path)


def test_numbers_of_a_verified_file_are_not_looked_at_again(monkeypatch: pytest.MonkeyPatch) -> None:
    def looked_at(tensor: torch.Tensor) -> torch.Tensor:
        raise AssertionError(
            "a file whose sha256 is the registered one was found finite when it was registered"
        )

    monkeypatch.setattr(torch, "isfinite", looked_at)
    file = registry.read_weights("lpips-alex-v0.1")
    assert file.hash == registry.weights_hash("lpips-alex-v0.1")
