"""What the commands on indexes share: how a folder is embedded, an index or a folder as one, and its metric."""

from __future__ import annotations

import argparse
import contextlib
import os
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from invariant_lpips.cli.metric_options import (
    MetricChoice,
    add_device_options,
    add_invariant_options,
    just_noticeable,
)
from invariant_lpips.cli.output import Exit, say
from invariant_lpips.cli.picture_options import add_reading_options, check_reading, reading_of
from invariant_lpips.pictures.folders import PICTURE_SUFFIXES, not_looked_at

if TYPE_CHECKING:
    from invariant_lpips.indexing import Index, Reading
    from invariant_lpips.indexing.embedding import Engine
    from invariant_lpips.metric import InvariantLPIPS

#: What names a metric at the command line, and in its identity.
METRIC_OPTIONS = ("net", "head", "weights", "pooling")


@dataclass(frozen=True)
class Embedding:
    """How the pictures of a folder are embedded: by which metric, read how, and with how much help.

    Attributes:
        workers: processes that decode ahead; None: one on a CPU, up to eight on a GPU.
        quiet: no progress bar.
    """

    metric: MetricChoice
    reading: Reading
    recursive: bool
    batch_size: int
    workers: int | None
    quiet: bool

    @classmethod
    def of(cls, args: argparse.Namespace) -> Embedding:
        """What was parsed; with torch, once nothing of it can be refused without.

        Raises:
            ValueError: options that can't be meant.
            OSError: there is no `args.source`.
        """
        metric = MetricChoice.of(args)
        metric.check()
        if args.workers is not None and args.workers < 0:
            raise ValueError(f"--workers must be at least 0, but got {args.workers}")
        require_there(args.source)
        check_reading(args)
        return cls(
            metric,
            reading_of(args),
            args.recursive,
            args.batch_size,
            args.workers,
            args.quiet,
        )

    def run(
        self,
        metric: InvariantLPIPS,
        source: Path,
        out: Path,
        *,
        tile: int | None = None,
        engine: Engine | None = None,
    ) -> Index:
        """`embed_folder` with what was chosen; `metric` is the one chosen, built."""
        from invariant_lpips.indexing import embed_folder

        workers = self.workers
        if workers is None:
            workers = 1 if metric.scaling_layer.shift.device.type == "cpu" else min(8, os.cpu_count() or 1)
        return embed_folder(
            metric,
            source,
            out,
            reading=self.reading,
            recursive=self.recursive,
            batch_size=self.batch_size,
            tile=tile,
            workers=workers,
            progress=not self.quiet,
            engine=engine,
        )


def require_there(
    source: Path, expected: str = "a folder of pictures, or an index that `embed` wrote"
) -> None:
    """Refuse a folder or file that isn't there, before torch is loaded to read it; `expected` is what may be.

    Raises:
        FileNotFoundError: it isn't.
    """
    if not source.exists():
        raise FileNotFoundError(f"{source} is not there; name {expected}")


def add_embedding_options(parser: argparse.ArgumentParser) -> None:
    """Add all of an `Embedding`."""
    add_invariant_options(parser)
    add_device_options(parser)
    add_reading_options(parser, batch="pictures of one size embedded at once (1); for GPUs")
    run = parser.add_argument_group("which pictures, and how")
    run.add_argument("--recursive", action="store_true", help="look into subfolders too")
    run.add_argument(
        "--workers",
        type=int,
        metavar="N",
        help="processes that decode pictures ahead (1 on a CPU, up to 8 on a GPU); 0: none",
    )
    run.add_argument("--quiet", action="store_true", help="no progress bar")


@contextlib.contextmanager
def index_of(
    source: Path, out: Path | None, embedding: Embedding, refuse: Callable[[InvariantLPIPS], object] | None
) -> Iterator[Index]:
    """The index that `source` is, or one of the pictures in the folder that it is, for as long as needed.

    The embeddings of a folder are kept beside `out` until the command has ended well, so that it goes on after a
    kill; without `out`, in a temporary folder. `refuse` raises where the metric can't do what the command needs,
    before it embeds a folder.
    """
    from invariant_lpips.indexing import open_index

    if _is_index(source):
        index = open_index(source)
        _require_reading(index, embedding.reading)
        _require_options(index, embedding.metric)
        if any(getattr(embedding.metric, name) is not None for name in METRIC_OPTIONS):
            metric_of(index, embedding.metric)  # only to refuse what the index wasn't made with
        yield index
        return
    metric = embedding.metric.build_invariant()
    if refuse is not None:
        refuse(metric)
    with tempfile.TemporaryDirectory() as folder:
        kept = Path(folder) / "embeddings.safetensors"
        if out is not None:
            kept = out.with_name(f".{out.name}.embeddings.safetensors")
        yield embedding.run(metric, source, kept)
        kept.unlink(missing_ok=True)  # another process may have been at the same


def _is_index(source: Path) -> bool:
    """Whether it is an index file, or a folder that holds some and no pictures."""
    from invariant_lpips.indexing.files import WRITERS

    if not source.is_dir():
        return source.suffix.lower() in WRITERS
    suffixes = {path.suffix.lower() for path in source.iterdir() if not path.name.startswith(".")}
    return not suffixes.isdisjoint(WRITERS) and suffixes.isdisjoint(PICTURE_SUFFIXES)


def metric_of(index: Index, choice: MetricChoice) -> InvariantLPIPS:
    """The metric an index was made with, on the chosen device; ValueError where another was chosen."""
    from invariant_lpips.registry.identity import OWN

    _require_options(index, choice)
    settings = index.settings
    if choice.weights is None and settings.metric.weights == OWN:
        raise ValueError(
            f"{index.origin} was made with linear weights that no file held [{settings.metric.weights_hash}]: save "
            "them and name the file with --weights, or embed the pictures again"
        )
    made_of = {
        name: getattr(settings.metric, name) for name in METRIC_OPTIONS if getattr(choice, name) is None
    }
    metric = replace(choice, **made_of, dtype=settings.dtype).build_invariant()
    settings.require_metric(metric, index.origin)
    return metric


def _require_options(index: Index, choice: MetricChoice) -> None:
    """Refuse options that name another metric than the index's, before weights are looked for that fit them."""
    from invariant_lpips.heads import DEFAULT_HEAD
    from invariant_lpips.trunks import ALIASES, ARCHITECTURES

    made_of = index.settings.metric
    net = ALIASES.get(choice.net or "", choice.net)
    head = DEFAULT_HEAD[made_of.net] if choice.head == "default" else choice.head
    # Any other net is a folder, whose parameters are compared once they are read.
    asked = {"net": net if net in ARCHITECTURES else None, "head": head, "pooling": choice.pooling}
    if choice.dtype != MetricChoice.dtype:
        asked["dtype"] = choice.dtype
    for name, value in asked.items():
        made = index.settings.dtype if name == "dtype" else getattr(made_of, name)
        if value is not None and value != made:
            raise ValueError(
                f"{index.origin} was made with --{name} {made}, not with --{name} {value}: leave the option "
                "out, or embed the pictures again with it"
            )


def _require_reading(index: Index, reading: Reading) -> None:
    """Refuse options that read pictures in another way than those of the index were: they are not read again."""
    made, usual = asdict(index.settings.reading), asdict(type(reading)())
    for name, value in asdict(reading).items():
        if name != "max_pixels" and value not in (usual[name], made[name]):
            option = f"--{name.replace('_', '-')}"
            how = "without it" if made[name] is None else f"with {option} {_as_typed(made[name])}"
            raise ValueError(
                f"{option} {_as_typed(value)}: the pictures of {index.origin} were read {how}, and are not read again; "
                "leave the option out, or embed the pictures again with it"
            )


def _as_typed(value: object) -> str:
    """A value of a `Reading` as its option takes it: sizes of `--resize` and numbers of `--bands` are tuples.

    Example:
        >>> _as_typed((64, 48)), _as_typed((3, 2, 1)), _as_typed("black")
        ('64x48', '3,2,1', 'black')
    """
    if not isinstance(value, tuple):
        return str(value)
    return ("x" if len(value) == 2 else ",").join(map(str, value))


def unit(index: Index, choice: MetricChoice, *, jnd: bool) -> float:
    """What distances are divided by: 1, or with `--jnd` the just noticeable one."""
    return just_noticeable(metric_of(index, choice)) if jnd else 1.0


def report_problems(index: Index, command: str) -> Exit:
    """Say on stderr which pictures have no row, and what was not looked at; the exit status."""
    for name, sentence in index.problems:
        say(command, f"{name}: {sentence}")
    if index.problems:
        say(command, f"{len(index.problems)} of {len(index) + len(index.problems)} pictures failed")
    if index.skipped:
        say(command, not_looked_at(index.skipped))
    incomplete = index.problems or any(item.missed for item in index.skipped)
    return Exit.INCOMPLETE if incomplete else Exit.DONE
