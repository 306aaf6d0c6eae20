"""`invariant-lpips weights list | path NAME | verify [NAME ...] | download NAME`: the registry, by hand."""

from __future__ import annotations

import argparse
import os
import sys

from invariant_lpips import hub, registry


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the four actions to ``parser``."""
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


def run(args: argparse.Namespace) -> int:
    """Do what was asked; 0 done, 1 a file is wrong or missing or a name unknown."""
    try:
        if args.action == "list":
            return _list()
        if args.action == "verify":
            return _verify(args.names or list(registry.ENTRIES), named=bool(args.names))
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
    if hub.repository() is None and os.fspath(path.parent) != os.fspath(hub.cache_folder(access)):
        print("not published on the Hub; the local copy is used", file=sys.stderr)
    print(path)
    return 0
