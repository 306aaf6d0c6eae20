"""`invariant-lpips weights list | path NAME | verify [NAME ...] | download NAME | push REPO`: the registry, by hand."""

from __future__ import annotations

import argparse
from pathlib import Path

from invariant_lpips import registry
from invariant_lpips.cli.output import Exit, say, sentence
from invariant_lpips.registry import download as hub

#: There where the package runs from a checkout.
CHECKOUT = Path(__file__).parents[2] / "pyproject.toml"


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the five actions to ``parser``."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)

    def add(name: str, line: str) -> argparse.ArgumentParser:
        return actions.add_parser(name, help=line, description=sentence(line))

    add("list", "every registered file: hash, where it is, licence, what it is")
    path = add("path", "print the path of one verified file")
    path.add_argument("name", help="a name that `list` shows")
    verify = add("verify", "compare the sha256 of the files that are here; status 1 if one is wrong")
    verify.add_argument("names", nargs="*", metavar="name", help="names to check (default: all)")
    download = add("download", "fetch one file, unless it is here, and print its path")
    download.add_argument("name", help="a name that `list` shows")
    download.add_argument("--revision", help="of the Hub repository")
    download.add_argument("--cache-dir", metavar="DIR", help="keep the file in DIR")
    download.add_argument("--force", action="store_true", help="fetch again what the cache holds")
    push = add(
        "push",
        "send all weights, cards and licences to a Hub repository in one commit, and set it as the source",
    )
    push.add_argument("repo", help="owner/name; made if it isn't there")
    push.add_argument(
        "--folder", type=Path, metavar="DIR", help="send DIR (default: the checkout's weights/)"
    )
    push.add_argument("--private", action="store_true", help="if the repository is made")
    push.add_argument("--message", help="of the commit")
    push.add_argument("--mirror", action="store_true", help="leave HUB_REPO and HUB_REVISION as they are")


def run(args: argparse.Namespace) -> Exit:
    """Do what was asked; INCOMPLETE where `verify` finds a file wrong or missing."""
    if args.action == "list":
        return _list()
    if args.action == "path":
        return _path(args.name)
    if args.action == "verify":
        return _verify(args.names or list(registry.ENTRIES), named=bool(args.names))
    if args.action == "download":
        return _download(args.name, hub.Access(args.revision, args.cache_dir, force_download=args.force))
    return _push(args.repo, args.folder, private=args.private, message=args.message, mirror=args.mirror)


def _list() -> Exit:
    width = max(map(len, registry.ENTRIES))
    for name, entry in registry.ENTRIES.items():
        found = registry.local_path(name)
        size = f"{found.stat().st_size / 1e6:.2f} MB" if found else "to fetch"
        print(f"{name:{width}}  {(entry.sha256 or '-')[:12]:12}  {size:>9}  {entry.licence}  {entry.note}")
    return Exit.DONE


def _path(name: str) -> Exit:
    print(registry.weights_path(name))
    return Exit.DONE


def _verify(names: list[str], *, named: bool) -> Exit:
    wrong = 0
    for name in names:
        found = registry.local_path(name)
        if found is None:
            print(f"absent    {name}")
            wrong += named
            continue
        try:
            registry.weights_path(name, access=hub.Access(local_files_only=True))
        except ValueError as error:
            print(f"WRONG     {name}  {error}")
            wrong += 1
            continue
        print(f"{'ok' if registry.ENTRIES[name].sha256 else 'no hash':8}  {name}  {found}")
    return Exit.INCOMPLETE if wrong else Exit.DONE


def _download(name: str, access: hub.Access) -> Exit:
    path = registry.weights_path(name, access=access)
    fetched = access.revision or access.force_download or path.parent == hub.cache_folder(access)
    if hub.repository() is None and not fetched:
        say(
            "weights download", f"{name} is not published on the Hub; {registry.kind_of_copy(path)} copy used"
        )
    print(path)
    return Exit.DONE


def _push(repo: str, folder: Path | None, *, private: bool, message: str | None, mirror: bool) -> Exit:
    if not mirror and not CHECKOUT.is_file():
        raise ValueError(
            "The source of the weights must be set in a checkout, but this is an installed package; run the "
            "command in a checkout, or pass --mirror."
        )
    from invariant_lpips.registry.publishing import (  # torch, which the other actions don't need
        publish,
        record,
    )

    folder = folder or registry.weights_path("vgg16").parent
    published = publish(repo, folder, private=private or None, message=message)
    if mirror:
        say("weights push", f"to use it: {hub.REPO_VARIABLE}={published}")
    else:
        say("weights push", f"{record(published)} now names it; commit that file")
    print(published)
    return Exit.DONE
