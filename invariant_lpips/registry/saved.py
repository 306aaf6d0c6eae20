"""A saved model: `config.json`, `model.safetensors` and `README.md`, in a folder or in a Hub repository.

The config holds numbers and strings only, and every field is checked by whoever reads it; the tensors must have
the sha256 that the config names. So a downloaded model is the one that was saved, whole, and can't run code.
"""

from __future__ import annotations

import json
import os
import re
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from torch import Tensor

from invariant_lpips._version import __version__
from invariant_lpips.files.reading import LARGEST_TEXT, read_whole, sha256_of, shown
from invariant_lpips.files.safetensors import parse, parse_metadata, safetensors_bytes
from invariant_lpips.files.writing import replacing
from invariant_lpips.registry import download as hub
from invariant_lpips.registry.hub_errors import explained

CONFIG_FILE = "config.json"
TENSORS_FILE = "model.safetensors"
CARD_FILE = "README.md"

_REPOSITORY = re.compile(r"(?P<repo>[A-Za-z0-9][\w.-]*/[\w.-]+)(?:@(?P<revision>[\w./-]+))?")
_COMMIT = re.compile(r"[0-9a-f]{40}")


class SavedModel(NamedTuple):
    """What was read of a saved model; nothing is built yet."""

    config: dict[str, Any]
    #: On the CPU, as they are stored.
    tensors: dict[str, Tensor]
    #: What the tensors' file says of itself.
    metadata: dict[str, str]
    #: The file that the config was read from, for messages.
    source: Path
    #: The tensors' file.
    path: Path


def locate(name_or_path: str | os.PathLike[str], access: hub.Access) -> Path:
    """The folder that holds a saved model, fetched from the Hub if it must be.

    Args:
        name_or_path: a folder, "owner/name" or "owner/name@revision".
        access: its revision, if any, must not contradict the one in the name.

    Returns:
        The folder itself, or the one in huggingface_hub's cache that holds the commit. Both files come from one
        commit, also when the branch moves between the two downloads.

    Raises:
        FileNotFoundError: neither such a folder nor a name that a repository can have.
        OSError: the repository can't be read; see :func:`invariant_lpips.registry.download.download`.
    """
    name = os.fspath(name_or_path)
    if Path(name).is_dir():
        return Path(name)
    repo, revision = split(name)
    if revision and access.revision and revision != access.revision:
        raise ValueError(
            f"One revision must be named, but got {revision!r} in {name!r} and {access.revision!r} beside it."
        )
    revision = revision or access.revision
    try:
        config = hub.download(repo, CONFIG_FILE, revision, access)
        commit = config.parent.name if _COMMIT.fullmatch(config.parent.name) else revision
        hub.download(repo, TENSORS_FILE, commit, replace(access, revision=commit))
    except OSError as error:
        raise type(error)(f"There is no folder {name!r} here, and as a repository: {error}.") from error
    return config.parent


def split(name: str) -> tuple[str, str | None]:
    """("owner/name", revision or None) of "owner/name" or "owner/name@revision".

    >>> split("owner/name@v1.0")
    ('owner/name', 'v1.0')
    """
    match = _REPOSITORY.fullmatch(name)
    if match is None or ".." in name or name.endswith(".safetensors"):
        raise FileNotFoundError(
            f"A saved model must be a folder with {CONFIG_FILE} and {TENSORS_FILE}, or a Hub repository "
            f"'owner/name' or 'owner/name@revision', but {name!r} is neither."
        )
    return match["repo"], match["revision"]


def write(folder: Path, config: Mapping[str, Any], tensors: bytes, card: str) -> Path:
    """Write the three files, each whole or not at all, and the tensors' sha256 into the config."""
    folder.mkdir(parents=True, exist_ok=True)
    config = {**config, "sha256": sha256_of(tensors)}
    # The config last: until it is there, it names the old tensors and refuses the new ones.
    for name, data in (
        (TENSORS_FILE, tensors),
        (CARD_FILE, card.encode()),
        (CONFIG_FILE, (json.dumps(config, indent=1) + "\n").encode()),
    ):
        with replacing(folder / name) as temporary:
            temporary.write_bytes(data)
    return folder


def read(folder: Path) -> SavedModel:
    """What a folder holds; its config is a JSON object of whatever fields, for the caller to check.

    Raises:
        FileNotFoundError: a file is missing.
        ValueError: one of them is not what its name says, or the tensors are not those that the config names.
    """
    source, path = folder / CONFIG_FILE, folder / TENSORS_FILE
    for file in (source, path):
        if not file.is_file():
            raise FileNotFoundError(f"A saved model's folder must hold {file.name}, but {folder} does not.")
    try:
        config = json.loads(read_whole(source, LARGEST_TEXT).decode())
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{source} must be a JSON file, but cannot be read: {error}.") from None
    if not isinstance(config, dict):
        raise ValueError(f"{source} must hold a JSON object, but holds {type(config).__name__}.")
    data = read_whole(path)
    found = sha256_of(data)
    if "sha256" in config and config["sha256"] != found:
        raise ValueError(
            f"{path} is not the file that {CONFIG_FILE} names (changed, truncated or swapped): "
            f"expected sha256 {shown(config['sha256'])}, but found {found}; fetch or save the model anew."
        )
    return SavedModel(config, parse(data, path), parse_metadata(data), source, path)


def check_fields(config: Mapping[str, Any], form: str, types: Mapping[str, type], source: Path) -> None:
    """Raise ValueError unless a config is of this format and holds exactly these fields, each of its type."""
    if config.get("format") != form:
        raise ValueError(f'{source} must have "format": {form!r}, but has {shown(config.get("format"))}.')
    if wrong := sorted(types.keys() ^ config.keys()):
        raise ValueError(
            f"{source} must hold exactly {', '.join(types)}; these are missing or foreign: {shown(wrong)}."
        )
    for field, kind in types.items():
        if type(config[field]) is not kind:
            raise ValueError(f"{source}: {field!r} must be {kind.__name__}, but is {shown(config[field])}.")


class Saved:
    """A model that can be saved, published and read back; what it is made of, the class itself says.

    A class brings `config`, `_tensors`, `_metadata` and `_card`, and a `from_pretrained` that hands what
    :func:`read` found to a constructor of its own.
    """

    def config(self) -> dict[str, Any]:
        """What `config.json` says: strings, numbers and lists of them."""
        raise NotImplementedError

    def _tensors(self, config: Mapping[str, Any]) -> Mapping[str, Tensor]:
        """What `model.safetensors` holds."""
        raise NotImplementedError

    def _metadata(self, config: Mapping[str, Any]) -> Mapping[str, str]:
        """What the header of `model.safetensors` says."""
        raise NotImplementedError

    def _card(self, config: Mapping[str, Any], file: bytes) -> str:
        """The text of `README.md`."""
        raise NotImplementedError

    def save_pretrained(self, folder: str | os.PathLike[str]) -> Path:
        """Write `config.json`, `model.safetensors` and a model card into `folder`, each whole or not at all."""
        config = self.config()
        file = safetensors_bytes(self._tensors(config), self._metadata(config))
        return write(Path(folder), config, file, self._card(config, file))

    def push_to_hub(
        self,
        repo: str,
        *,
        revision: str | None = None,
        private: bool | None = None,
        token: str | bool | None = None,
        message: str | None = None,
    ) -> str:
        """Send what `save_pretrained` writes to a Hub repository, in one commit.

        Args:
            repo: "owner/name"; made if it isn't there.
            revision: branch, made if need be; None for the main one.
            private: for a repository that is made; None leaves it to the account's settings.
            token: as for huggingface_hub; None takes the one you logged in with.
            message: of the commit.

        Returns:
            "owner/name@commit", with which `from_pretrained` loads exactly these files.

        Raises:
            OSError: the Hub refused, or can't be reached.
        """
        with tempfile.TemporaryDirectory() as folder:
            self.save_pretrained(folder)
            files = {path.name: path.read_bytes() for path in sorted(Path(folder).iterdir())}
        files[CARD_FILE] = files[CARD_FILE].replace(b"THIS_REPOSITORY", repo.encode())
        return push_files(files, repo, revision=revision, private=private, token=token, message=message)


def push_files(
    files: Mapping[str, bytes],
    repo: str,
    *,
    revision: str | None = None,
    private: bool | None = None,
    token: str | bool | None = None,
    message: str | None = None,
) -> str:
    """Send files (path in the repository -> content) in one commit; see :meth:`Saved.push_to_hub`."""
    repo, named = split(repo)
    if named:
        raise ValueError(f"A repository to write to must be 'owner/name', but got {f'{repo}@{named}'!r}.")
    if hub.Access().offline:
        raise ConnectionError(f"Nothing can be sent to {repo} while HF_HUB_OFFLINE is set; unset it.")
    from huggingface_hub import CommitOperationAdd, HfApi

    api = HfApi(
        endpoint=hub.Access().endpoint,
        token=token,
        library_name="invariant-lpips",
        library_version=__version__,
    )
    try:
        api.create_repo(repo, private=private, exist_ok=True)
        if revision is not None:
            api.create_branch(repo, branch=revision, exist_ok=True)
        commit = api.create_commit(
            repo,
            [CommitOperationAdd(path_in_repo=path, path_or_fileobj=data) for path, data in files.items()],
            commit_message=message or f"Sent by invariant-lpips {__version__}",
            revision=revision,
        )
    except Exception as error:  # the client raises its own, its HTTP library's and the system's errors
        reason = explained(error, repo, None, revision)
        raise type(reason)(f"Nothing was published: {reason}.") from error
    return f"{repo}@{commit.oid}"
