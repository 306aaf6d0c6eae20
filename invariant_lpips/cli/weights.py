"""`invariant-lpips weights list | path NAME | verify [NAME ...] | download NAME | push REPO`: the registry, by hand."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from invariant_lpips import registry
from invariant_lpips.registry import download as hub


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the five actions to ``parser``."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    actions.add_parser("list", help="every registered file: hash, where it is, licence, what it is")
    path = actions.add_parser("path", help="print the path of one verified file")
    path.add_argument("name", help="a name that `list` shows")
    verify = actions.add_parser(
        "verify", help="compare the sha256 of the files that are here; 1 if one is wrong"
    )
    verify.add_argument("names", nargs="*", metavar="name", help="names to check (default: all)")
    download = actions.add_parser("download", help="fetch one file, unless it is here, and print its path")
    download.add_argument("name", help="a name that `list` shows")
    download.add_argument("--revision", help="of the Hub repository")
    download.add_argument("--cache-dir", metavar="DIR", help="keep the file in DIR")
    download.add_argument("--force", action="store_true", help="fetch again what the cache holds")
    push = actions.add_parser(
        "push",
        help="send all weights, cards and licences to a Hub repository in one commit, and set it as the source",
    )
    push.add_argument("repo", help="owner/name; made if it isn't there")
    push.add_argument(
        "--folder", type=Path, metavar="DIR", help="send DIR (default: the checkout's weights/)"
    )
    push.add_argument("--private", action="store_true", help="if the repository is made")
    push.add_argument("--message", help="of the commit")
    push.add_argument("--mirror", action="store_true", help="leave HUB_REPO and HUB_REVISION as they are")


def run(args: argparse.Namespace) -> int:
    """Do what was asked; 0 done, 1 a file is wrong or missing or a name unknown."""
    try:
        if args.action == "list":
            return _list()
        if args.action == "verify":
            return _verify(args.names or list(registry.ENTRIES), named=bool(args.names))
        if args.action == "push":
            return _push(args)
        return _path(args.name) if args.action == "path" else _download(args)
    except (ValueError, OSError) as error:
        print(f"invariant-lpips weights: {error}", file=sys.stderr)
        return 1


def _list() -> int:
    width = max(map(len, registry.ENTRIES))
    for name, entry in registry.ENTRIES.items():
        found = registry.local_path(name)
        size = f"{found.stat().st_size / 1e6:.2f} MB" if found else "to fetch"
        print(f"{name:{width}}  {(entry.sha256 or '-')[:12]:12}  {size:>9}  {entry.licence}  {entry.note}")
    return 0


def _path(name: str) -> int:
    print(registry.weights_path(name))
    return 0


def _verify(names: list[str], named: bool) -> int:
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
    return 1 if wrong else 0


def _download(args: argparse.Namespace) -> int:
    access = hub.Access(revision=args.revision, cache_dir=args.cache_dir, force_download=args.force)
    path = registry.weights_path(args.name, access=access)
    if hub.repository() is None and not (
        args.revision or args.force or path.parent == hub.cache_folder(access)
    ):
        print(
            f"{args.name} is not published on the Hub; {registry.kind_of_copy(path)} copy used.",
            file=sys.stderr,
        )
    print(path)
    return 0


def _push(args: argparse.Namespace) -> int:
    from invariant_lpips.registry.publishing import publish, record

    module = Path(hub.__file__)
    checkout = (module.parent.parent / "pyproject.toml").is_file()
    if not args.mirror and not checkout:
        raise ValueError(
            "The source of the weights must be set in a checkout, but this is an installed package; run the "
            "command in a checkout, or pass --mirror."
        )
    folder = args.folder or registry.weights_path("vgg16").parent
    published = publish(args.repo, folder, private=args.private or None, message=args.message)
    if args.mirror:
        print(f"to use it: {hub.REPO_VARIABLE}={published}", file=sys.stderr)
    else:
        print(f"{record(published)} now names it; commit that file", file=sys.stderr)
    print(published)
    return 0
