"""The Hub, with huggingface_hub's own client and a server on this machine that speaks its protocol."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import logging
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch

from invariant_lpips import InvariantLPIPS, registry
from invariant_lpips.classifier import GAPClassifier
from invariant_lpips.cli import main
from invariant_lpips.files.safetensors import safetensors_bytes
from invariant_lpips.registry import download as hub
from invariant_lpips.registry import publishing as hub_publication
from invariant_lpips.registry import saved as hub_folders
from tests.hub_server import Fault, Hub, serving

REPO = "someone/something"
TINY = safetensors_bytes({"features.0.weight": torch.arange(3000.0)})


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Hub]:
    """A Hub of our own, an empty cache, the right token, and a client that doesn't wait between tries."""
    import huggingface_hub.constants as constants

    sleep = time.sleep
    monkeypatch.setattr(time, "sleep", lambda seconds: sleep(min(seconds, 0.01)))
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True, raising=False)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hf"))
    monkeypatch.setattr(constants, "HUGGINGFACE_HUB_CACHE", str(tmp_path / "hf"), raising=False)
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "no-token"))
    monkeypatch.setenv("HF_TOKEN", Hub.token)
    monkeypatch.setenv(hub.CACHE_VARIABLE, str(tmp_path / "cache"))
    for name in (registry.FOLDER_VARIABLE, hub.REPO_VARIABLE, "HF_HUB_OFFLINE"):
        monkeypatch.delenv(name, raising=False)
    with serving() as running:
        monkeypatch.setenv("HF_ENDPOINT", running.endpoint)
        yield running


@pytest.fixture
def tiny(server: Hub, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., Path]:
    """tiny(**access): fetch a registered file that lies in the repository only."""
    entry = registry.Entry("tiny.safetensors", hashlib.sha256(TINY).hexdigest(), "Apache-2.0", "for tests")
    monkeypatch.setitem(registry.ENTRIES, "tiny", entry)
    monkeypatch.setenv(hub.REPO_VARIABLE, REPO)
    server.put(REPO, {"tiny.safetensors": TINY})

    def fetch(**access: object) -> Path:
        cache = access.pop("cache_dir", tmp_path / "files")
        return registry.weights_path("tiny", access=hub.Access(cache_dir=cache, **access))  # type: ignore[arg-type]

    return fetch


def test_download_follows_the_redirect_to_storage_and_keeps_the_token_from_it(
    server: Hub, tiny: Callable[..., Path]
) -> None:
    path = tiny()
    assert path.read_bytes() == TINY
    (head,) = server.asked("HEAD .*/resolve/main/tiny")
    assert head[2]["Authorization"] == f"Bearer {Hub.token}"
    assert "invariant-lpips/" in head[2]["User-Agent"]
    (stored,) = server.asked("GET /storage")
    assert "Authorization" not in stored[2]
    assert tiny() == path
    assert len(server.asked("GET /storage")) == 1  # from the cache


def test_a_moved_repository_is_followed(server: Hub, tiny: Callable[..., Path]) -> None:
    server.repositories["someone/new-name"] = server.repositories[REPO]
    server.repositories[REPO] = dataclasses.replace(server.repositories[REPO], moved_to="someone/new-name")
    assert tiny().read_bytes() == TINY


def test_a_cut_connection_is_resumed_where_it_broke(
    server: Hub, tiny: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.DOWNLOAD_CHUNK_SIZE", 1000)
    server.faults = [Fault("GET /storage", cut=5000, times=2)]
    assert tiny().read_bytes() == TINY
    ranges = [headers.get("Range") for _, _, headers in server.asked("GET /storage")]
    assert ranges == [None, "bytes=5000-", "bytes=10000-"]


@pytest.mark.parametrize("wrong", [TINY[:-4], TINY[:-1] + b"?", b""], ids=["short", "changed", "empty"])
def test_what_storage_sends_instead_is_refused_and_not_kept(
    wrong: bytes, server: Hub, tiny: Callable[..., Path]
) -> None:
    server.faults = [Fault("GET /storage", body=wrong)]
    with pytest.raises(
        (ValueError, FileNotFoundError), match=r"arrived incomplete|expected sha256"
    ) as caught:
        tiny()
    assert "\n" not in str(caught.value)
    server.faults = []
    assert tiny(force_download=True).read_bytes() == TINY
    assert tiny().read_bytes() == TINY


def test_a_repository_with_another_file_of_that_name_is_refused(
    server: Hub, tiny: Callable[..., Path]
) -> None:
    server.put(REPO, {"tiny.safetensors": safetensors_bytes({"features.0.weight": torch.zeros(3)})})
    with pytest.raises(ValueError, match=r"is not the registered file of 'tiny' .* download tiny --force"):
        tiny()


@pytest.mark.parametrize(
    ("fault", "sentence"),
    [
        (Fault("/resolve/", 401), r"does not exist, or is private .*401.* token=\.\.\."),
        (Fault("/resolve/", 403), r"closed to this token \(403\); ask its owner"),
        (Fault("/resolve/", 403, "GatedRepo"), r"closed to this token \(403\)"),
        (Fault("/resolve/", 404, "RepoNotFound"), r"someone/something does not exist, or is private \(404\)"),
        (Fault("/resolve/", 404, "EntryNotFound"), r"has no file tiny\.safetensors \(404\)"),
        (Fault("/resolve/", 404, "RevisionNotFound"), r"has no revision v1 \(404\)"),
        (Fault("/resolve/", 429), r"takes no more requests .*429.* wait"),
        (Fault("/resolve/", 500), r"the Hub failed at .*status 500.* try again later"),
        (Fault("/resolve/", 503), r"status 503"),
        (Fault("GET /storage", 403), r"closed to this token \(403\)"),
        (Fault("GET /storage", 500), r"status 500"),
        (Fault("GET /storage", cut=0), r"no connection to http://127"),
    ],
    ids=lambda value: f"{value.pattern} {value.status} {value.code}" if isinstance(value, Fault) else "",
)
def test_every_refusal_is_one_sentence(
    fault: Fault, sentence: str, server: Hub, tiny: Callable[..., Path]
) -> None:
    server.faults = [fault]
    with pytest.raises(FileNotFoundError, match=sentence) as caught:
        tiny(revision="v1" if fault.code == "RevisionNotFound" else None)
    message = str(caught.value)
    assert "\n" not in message
    assert Hub.token not in message
    assert message.endswith("name the folder in INVARIANT_LPIPS_WEIGHTS.")


def test_busy_server_is_tried_again(server: Hub, tiny: Callable[..., Path]) -> None:
    server.faults = [Fault("HEAD", 503, times=2), Fault("HEAD", 429, times=1)]
    assert tiny().read_bytes() == TINY


def test_no_server_at_all(tiny: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(FileNotFoundError, match=r"no connection to http://127\.0\.0\.1:9 .* HF_ENDPOINT"):
        tiny()


@pytest.mark.parametrize("how", ["argument", "environment"])
def test_offline_uses_the_cache_and_asks_nobody(
    how: str, server: Hub, tiny: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    access = {"local_files_only": True} if how == "argument" else {}
    if how == "environment":
        monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(FileNotFoundError, match=r"offline .*the cache holds no tiny\.safetensors of"):
        tiny(**access)
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    path = tiny()
    if how == "environment":
        monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    asked = len(server.requests)
    assert tiny(**access) == path
    assert len(server.requests) == asked


def test_a_server_that_fails_leaves_the_cache_usable(server: Hub, tiny: Callable[..., Path]) -> None:
    path = tiny()
    server.faults = [Fault("", 500)]
    assert tiny() == path


def test_a_repository_writes_nothing_outside_the_cache(
    server: Hub, metric: InvariantLPIPS, tmp_path: Path
) -> None:
    metric.push_to_hub(REPO)
    server.put(REPO, {"../../../../escaped": b"x", "/escaped": b"x", "model.safetensors/../../x": b"x"})
    cache = tmp_path / "one" / "two" / "files"
    cache.mkdir(parents=True)
    before = {path for path in tmp_path.rglob("*") if cache not in path.parents}
    InvariantLPIPS.from_pretrained(REPO, cache_dir=cache)
    for commit in ("../../../../escaped", str(tmp_path / "escaped")):
        server.faults = [Fault("HEAD", headers={"X-Repo-Commit": commit})]
        with pytest.raises(OSError, match="failed"):
            InvariantLPIPS.from_pretrained(REPO, cache_dir=cache, force_download=True)
    assert {path for path in tmp_path.rglob("*") if cache not in path.parents} == before


def test_private_repository_needs_the_token(server: Hub, tiny: Callable[..., Path]) -> None:
    server.repositories[REPO].private = True
    with pytest.raises(FileNotFoundError, match=r"\(401\)"):
        tiny(token=False)
    assert tiny(token=Hub.token).read_bytes() == TINY


def test_pinned_revision_outlives_the_branch(
    server: Hub, tiny: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    pinned = server.repositories[REPO].branches["main"]
    server.put(REPO, {"tiny.safetensors": b"something else by now"})
    monkeypatch.setenv(hub.REPO_VARIABLE, f"{REPO}@{pinned}")
    path = tiny()
    assert path.parent.name == pinned
    asked = len(server.requests)
    assert tiny() == path
    assert len(server.requests) == asked  # a commit doesn't change: nobody is asked


TWO_PROCESSES = """
import sys, hashlib
from pathlib import Path
from invariant_lpips import registry
from invariant_lpips.registry import download as hub
sha256, cache = sys.argv[1:]
registry.ENTRIES["tiny"] = registry.Entry("tiny.safetensors", sha256, "Apache-2.0", "for tests")
print(registry.weights_path("tiny", access=hub.Access(cache_dir=cache)))
"""


def test_two_processes_at_once(server: Hub, tiny: Callable[..., Path], tmp_path: Path) -> None:
    server.barrier = threading.Barrier(2)  # neither goes on before both have asked
    environment = {
        **os.environ,
        "HF_HUB_DISABLE_XET": "1",
        "HF_HUB_DISABLE_PROGRESS_BARS": "1",
        "HF_HOME": str(tmp_path / "home"),
        "PYTHONPATH": str(Path(__file__).resolve().parent.parent),
        "OMP_NUM_THREADS": "1",
    }
    arguments = [
        sys.executable,
        "-c",
        TWO_PROCESSES,
        hashlib.sha256(TINY).hexdigest(),
        str(tmp_path / "both"),
    ]
    both = [
        subprocess.Popen(arguments, env=environment, stdout=subprocess.PIPE, text=True, cwd=tmp_path)
        for _ in range(2)
    ]
    try:
        paths = {process.communicate(timeout=120)[0].strip() for process in both}
    finally:
        for process in both:
            process.kill()
    assert [process.returncode for process in both] == [0, 0]
    (path,) = paths
    assert Path(path).read_bytes() == TINY
    assert not list((tmp_path / "both").rglob("*.incomplete"))


def test_built_in_asked_for_from_the_hub_says_that_nothing_is_published(
    server: Hub, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "invariant_lpips"):
        metric = InvariantLPIPS.from_pretrained("vgg16-gap", revision="v1")
    assert caplog.messages == ["vgg16-gap is not published on the Hub; bundled copy used."]
    assert metric.weights == "vgg16-gap"
    assert not server.requests


@pytest.fixture(scope="module")
def metric() -> InvariantLPIPS:
    """A small metric with linear weights of its own."""
    made = InvariantLPIPS("alex", "gap", weights="unit", normalize=True)
    made.use_linear_weights({"weight": torch.linspace(0, 2, made.head.weight.numel())}, "for tests")
    return made


X = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
Y = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(1))


def test_metric_goes_up_and_comes_back(server: Hub, metric: InvariantLPIPS, tmp_path: Path) -> None:
    published = metric.push_to_hub(REPO, private=True, message="first")
    repository = server.repositories[REPO]
    commit = repository.branches["main"]
    assert published == f"{REPO}@{commit}"
    assert repository.private
    assert set(repository.commits[commit]) == {
        ".gitattributes",
        "README.md",
        "config.json",
        "model.safetensors",
    }
    assert f'from_pretrained("{REPO}")' in repository.commits[commit]["README.md"].decode()
    server.put(REPO, {"model.safetensors": b"a later commit"})
    back = InvariantLPIPS.from_pretrained(published, cache_dir=tmp_path / "files")
    assert torch.equal(back(X, Y), metric(X, Y))
    assert back.normalize
    asked = len(server.requests)
    InvariantLPIPS.from_pretrained(published, cache_dir=tmp_path / "files", local_files_only=True)
    assert len(server.requests) == asked
    with pytest.raises(ValueError, match="'v2' beside it"):
        InvariantLPIPS.from_pretrained(published, revision="v2")


def test_both_files_come_from_one_commit(server: Hub, metric: InvariantLPIPS, tmp_path: Path) -> None:
    metric.push_to_hub(REPO)
    first = server.repositories[REPO].branches["main"]
    InvariantLPIPS.from_pretrained(REPO, cache_dir=tmp_path / "files")
    (asked,) = server.asked("HEAD .*model.safetensors")
    assert f"/resolve/{first}/" in asked[1]


def test_same_metric_again_and_a_branch(server: Hub, metric: InvariantLPIPS) -> None:
    metric.push_to_hub(REPO)
    metric.push_to_hub(REPO, revision="trial")
    assert set(server.repositories[REPO].branches) == {"main", "trial"}
    assert len(server.asked("PUT /upload")) == 1  # what storage has is not sent twice


@pytest.mark.parametrize(
    ("fault", "kind", "sentence"),
    [
        (Fault("/api/repos/create", 401), PermissionError, r"401"),
        (Fault("/api/repos/create", 403), PermissionError, r"permission to write"),
        (Fault("/commit/", 500), ConnectionError, r"status 500"),
        (Fault("PUT /upload", 403), PermissionError, r"403"),
    ],
    ids=["create 401", "create 403", "commit 500", "storage 403"],
)
def test_refused_upload_is_one_sentence(
    fault: Fault, kind: type[OSError], sentence: str, server: Hub, metric: InvariantLPIPS
) -> None:
    server.faults = [fault]
    with pytest.raises(kind, match=rf"^Nothing was published: .*{sentence}") as caught:
        metric.push_to_hub(REPO)
    assert "\n" not in str(caught.value)


def test_offline_publishes_nothing(
    server: Hub, metric: InvariantLPIPS, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(ConnectionError, match="while HF_HUB_OFFLINE is set"):
        metric.push_to_hub(REPO)
    assert not server.requests


def test_a_server_that_sends_other_tensors_is_refused(
    server: Hub, metric: InvariantLPIPS, tmp_path: Path
) -> None:
    metric.push_to_hub(REPO)
    files = server.repositories[REPO].commits[server.repositories[REPO].branches["main"]]
    server.put(REPO, {"model.safetensors": files["model.safetensors"][:-4] + bytes(4)})
    with pytest.raises(ValueError, match=r"not the file that config\.json names .*expected sha256"):
        InvariantLPIPS.from_pretrained(REPO, cache_dir=tmp_path / "files")


def test_neither_folder_nor_repository() -> None:
    for name in ("nothing", "../x", "/no/where", "a/b/c", "x/y.safetensors", "a/..b", "https://x/y"):
        with pytest.raises(FileNotFoundError, match=r"must be a folder with config\.json"):
            InvariantLPIPS.from_pretrained(name)


def test_classifier_goes_up_and_comes_back(server: Hub, tmp_path: Path) -> None:
    model = GAPClassifier.from_pretrained("vgg16-final-gap")
    published = model.push_to_hub(REPO)
    back = GAPClassifier.from_pretrained(published, cache_dir=tmp_path / "files")
    assert torch.equal(back.linear.weight, model.linear.weight)
    assert back.classes == model.classes
    card = server.repositories[REPO].commits[published.partition("@")[2]]["README.md"].decode()
    assert "| accuracy, val / test" in card
    with pytest.raises(PermissionError, match="There is no folder 'someone/else' here, and as a repository"):
        GAPClassifier.from_pretrained("someone/else", token=False)


# -- folders ----------------------------------------------------------------------------------------------------


def edited(metric: InvariantLPIPS, folder: Path, **changes: object) -> Path:
    metric.save_pretrained(folder)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, **changes}))
    return folder


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"format": "pickle"}, r"must have \"format\""),
        ({"net": "vgg16-final-gap"}, r"'net' must be one of vgg, alex, squeeze"),
        ({"net": "os.system"}, r"'net' must be one of"),
        ({"net": ["vgg"]}, r"'net' must be str"),
        ({"head": "default"}, r"'head' must be one of"),
        ({"pooling": "mean"}, r"'pooling' must be one of"),
        ({"weights": "/etc/passwd"}, r"'weights' must be one of"),
        ({"spatial": 1}, r"'spatial' must be bool"),
        (
            {"trunk": {"name": "alexnet", "hash": "000000000000"}},
            r"belongs to trunk {'hash': '000000000000', 'name': 'alexnet'}",
        ),
        ({"sha256": "0" * 64}, r"expected sha256 '0{64}', but found"),
        ({"auto_map": {"AutoModel": "evil.Model"}}, r"missing or foreign: \['auto_map'\]"),
        ({"head": "spatial"}, r"must hold one tensor `weight`|must be"),
    ],
)
def test_config_must_say_what_this_package_knows(
    changes: dict[str, object], sentence: str, metric: InvariantLPIPS, tmp_path: Path
) -> None:
    folder = edited(metric, tmp_path / "saved", **changes)
    if changes == {"head": "spatial"}:
        assert (
            InvariantLPIPS.from_pretrained(folder).head.name == "spatial"
        )  # as many weights: another metric
        return
    with pytest.raises(ValueError, match=sentence):
        InvariantLPIPS.from_pretrained(folder)


@pytest.mark.parametrize("text", ["", "[]", "{", '{"format": 1}', "[" * 10_000])
def test_config_that_is_no_config(text: str, metric: InvariantLPIPS, tmp_path: Path) -> None:
    metric.save_pretrained(tmp_path)
    (tmp_path / "config.json").write_text(text)
    with pytest.raises(ValueError, match=r"config\.json must"):
        InvariantLPIPS.from_pretrained(tmp_path)


def test_missing_file_is_named(metric: InvariantLPIPS, tmp_path: Path) -> None:
    metric.save_pretrained(tmp_path)
    (tmp_path / "model.safetensors").unlink()
    with pytest.raises(FileNotFoundError, match=r"must hold model\.safetensors"):
        InvariantLPIPS.from_pretrained(tmp_path)


def test_tuned_trunk_travels_with_the_metric(metric: InvariantLPIPS, tmp_path: Path) -> None:
    tuned = InvariantLPIPS("alex", "gap", weights="unit")
    tuned.requires_grad_(True)
    with torch.no_grad():
        next(tuned.net.parameters()).mul_(1.5)
    tuned.requires_grad_(False)
    tuned.save_pretrained(tmp_path / "tuned")
    back = InvariantLPIPS.from_pretrained(tmp_path / "tuned", normalize=True)
    assert torch.equal(back(X, Y), tuned(X, Y, normalize=True))
    assert json.loads((tmp_path / "tuned" / "config.json").read_text())["trunk"]["name"] == "tuned"
    metric.save_pretrained(tmp_path / "plain")
    sizes = [(tmp_path / name / "model.safetensors").stat().st_size for name in ("tuned", "plain")]
    assert sizes[0] > 9e6 > 1e5 > sizes[1]  # the bundled trunk is named, not written again


def test_saved_weights_serve_as_weights_and_keep_their_calibration(tmp_path: Path) -> None:
    metric = InvariantLPIPS(head="gap")
    metric.half().save_pretrained(tmp_path)
    back = InvariantLPIPS.from_pretrained(tmp_path)
    assert "net=vgg16 [5105565f61f2]" in back.describe()  # named, though held in half precision
    assert torch.equal(back.head.weight, metric.head.weight.float())
    assert back.jnd_fit == metric.jnd_fit
    assert InvariantLPIPS(head="gap", weights=tmp_path / "model.safetensors").jnd_fit == metric.jnd_fit


def test_card_copies_the_figures_of_the_weights_own_card(tmp_path: Path) -> None:
    metric = InvariantLPIPS(head="gap")
    metric.save_pretrained(tmp_path)
    card = (tmp_path / "README.md").read_text()
    figures = (
        registry.weights_path("vgg16-gap").with_suffix(".md").read_text().partition("| figure | value |")[2]
    )
    rows = [line for line in figures.splitlines()[2:] if line.startswith("|")]
    assert len(rows) >= 4
    assert all(row in card for row in rows)
    assert "| scores | tid2013 (resynthesised): 2520 pairs" in card
    assert metric.describe() in card
    with torch.no_grad():
        metric.head.weight[0] += 1  # no longer the weights that the figures speak of
    metric.save_pretrained(tmp_path)
    assert "No figures come with these weights." in (tmp_path / "README.md").read_text()


def test_card_of_weights_learned_by_a_user_comes_from_the_file_beside_them(
    metric: InvariantLPIPS, tmp_path: Path
) -> None:
    weights = tmp_path / "mine.safetensors"
    weights.write_bytes(safetensors_bytes({"weight": metric.head.weight}))
    weights.with_suffix(".md").write_text("| figure | value |\n|---|---|\n| SRCC on mine | 0.5 |\n")
    own = InvariantLPIPS("alex", "gap", weights=weights)
    own.save_pretrained(tmp_path / "one")
    InvariantLPIPS.from_pretrained(tmp_path / "one").save_pretrained(tmp_path / "two")
    for folder in ("one", "two"):
        assert "| SRCC on mine | 0.5 |" in (tmp_path / folder / "README.md").read_text()


# -- weights push -----------------------------------------------------------------------------------------------


def run(*arguments: str) -> int:
    return main(["weights", *arguments])


def few(folder: Path) -> Path:
    """A folder with two weights files, their card, and a licence."""
    source = registry.weights_path("lpips-vgg-v0.1").parent
    for name in ("lpips-vgg-v0.1.safetensors", "lpips-alex-v0.1.safetensors", "lpips-linear.md", "README.md"):
        (folder / "licences").mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes((source / name).read_bytes())
    (folder / "licences" / "text.txt").write_text("may")
    return folder


def test_push_sends_everything_and_the_package_finds_it_there(
    server: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = few(tmp_path / "weights")
    assert run("push", REPO, "--folder", str(folder), "--mirror", "--private") == 0
    published = capsys.readouterr().out.strip()
    commit = server.repositories[REPO].branches["main"]
    assert published == f"{REPO}@{commit}"
    files = server.repositories[REPO].commits[commit]
    assert set(files) == {".gitattributes", *(p.relative_to(folder).as_posix() for p in folder.rglob("*.*"))}
    assert files["README.md"].startswith(b"---\nlicense: other\n")
    assert len(server.asked("POST .*/commit/")) == 1
    monkeypatch.setattr("invariant_lpips.registry.finding._bundled_folders", list)
    monkeypatch.setenv(hub.REPO_VARIABLE, published)
    access = hub.Access(cache_dir=tmp_path / "files")
    assert registry.load_weights("lpips-vgg-v0.1", access=access)["lin0.weight"].shape == (1, 64, 1, 1)


def test_revision_is_written_back(tmp_path: Path) -> None:
    module = tmp_path / "hub.py"
    module.write_text(Path(hub.__file__).read_text())
    hub_publication.record(f"{REPO}@{'a' * 40}", module)
    text = module.read_text()
    assert f'\nHUB_REPO: str | None = "{REPO}"\nHUB_REVISION: str | None = "{"a" * 40}"\n' in text
    hub_publication.record(f"other/repo@{'b' * 40}", module)
    assert REPO not in module.read_text()
    compile(module.read_text(), "hub.py", "exec")


def test_push_refuses_what_the_registry_does_not_know(
    server: Hub, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = few(tmp_path / "weights")
    right = (folder / "lpips-vgg-v0.1.safetensors").read_bytes()
    for name, data, sentence in (
        ("lpips-vgg-v0.1.safetensors", right[:-1] + b"?", "sha256 the registry knows"),
        ("foreign.safetensors", right, "sha256 the registry knows"),
    ):
        (folder / name).write_bytes(data)
        assert run("push", REPO, "--folder", str(folder), "--mirror") == 2
        assert sentence in capsys.readouterr().err
        (folder / name).write_bytes(right)
    (folder / "foreign.safetensors").unlink()
    for card in folder.glob("*.md"):
        card.unlink()
    assert run("push", REPO, "--folder", str(folder), "--mirror") == 2
    assert "must have a card" in capsys.readouterr().err
    assert not server.requests


def test_repository_to_write_to_has_no_revision(server: Hub) -> None:
    with pytest.raises(ValueError, match="to write to must be 'owner/name'"):
        hub_folders.push_files({"a": b""}, f"{REPO}@v1")


def test_jnd_is_refused_with_another_pooling_than_it_was_calibrated_with(tmp_path: Path) -> None:
    metric = InvariantLPIPS(head="gap", pooling="polyphase")
    distance = metric(2 * X - 1, 2 * Y - 1)
    with pytest.raises(ValueError, match=r"with pooling='max', but this metric has pooling='polyphase'"):
        metric.jnd(distance)
    metric.fitted_pooling = "polyphase"  # as weights say that were trained with it
    metric.save_pretrained(tmp_path)
    assert torch.equal(InvariantLPIPS.from_pretrained(tmp_path).jnd(distance), metric.jnd(distance))
    weights = tmp_path / "model.safetensors"
    with pytest.raises(
        ValueError, match="calibrated to just noticeable differences with pooling='polyphase'"
    ):
        InvariantLPIPS(head="gap", weights=weights).jnd(distance)
