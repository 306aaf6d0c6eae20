"""Embeddings of a folder of pictures into an index file, resumable after any kind of end."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from torch import Tensor
from tqdm import tqdm

from invariant_lpips.files.writing import naming
from invariant_lpips.indexing.files import WRITERS, Contents, check_suffix
from invariant_lpips.indexing.index import Index, open_index
from invariant_lpips.indexing.journal import Journal, Record
from invariant_lpips.indexing.settings import Settings, settings_for
from invariant_lpips.indexing.sources import Pictures, find_pictures, first_of_another_size
from invariant_lpips.indexing.streaming import Embedder, chunk_length
from invariant_lpips.pictures.images import Reading

if TYPE_CHECKING:
    from invariant_lpips.metric import InvariantLPIPS

#: Runs chunks of pictures somewhere and gives their records, in any order.
Engine = Callable[[Embedder, Pictures, Sequence[int]], Iterator[tuple[int, Record]]]


def embed_folder(
    metric: InvariantLPIPS,
    source: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
    out: str | os.PathLike[str],
    *,
    reading: Reading | None = None,
    recursive: bool = False,
    batch_size: int = 1,
    tile: int | None = None,
    workers: int = 1,
    progress: bool = False,
    engine: Engine | None = None,
) -> Index:
    """Embed the pictures of a folder and write them to an index file.

    Finished work is kept beside `out`, in `<out>.unfinished`. Called again with the same arguments, however the last
    call ended, it does what is left, and the file is the one that an uninterrupted call would have written, byte for
    byte (on one machine and version; CUDA doesn't promise bits). A complete `out` is opened and returned.

    Args:
        metric: on its device and in its precision; a head with an embedding.
        source: a folder, a .parquet file with a column `path`, or paths.
        out: .npz, .safetensors or .parquet; see :mod:`invariant_lpips.indexing.files`.
        reading: how files become tensors; by default as `read_image` does.
        recursive: look into subfolders too.
        batch_size: pictures of one size embedded at once. On a CPU 1 is as fast as any.
        tile: embed every picture in tiles of this side; for pictures that don't fit. Needs head `gap`.
        workers: processes that decode ahead; 0 decodes in this one.
        progress: a bar on stderr.
        engine: what runs the chunks, if not this process: see
            :func:`invariant_lpips.integrations.ray.chunk_engine`. `workers` is then the engine's affair.

    Returns:
        The index. Pictures that can't be read are in its `problems` and have no row; what else is in the folder is in
        its `skipped`.

    Raises:
        ValueError: no pictures; pictures of several sizes with a head whose embedding grows with them; `out` exists
            and is of other pictures or settings; no picture could be embedded. One sentence says what to do.

    Example:
        >>> import tempfile
        >>> import torch
        >>> from invariant_lpips import InvariantLPIPS, write_image
        >>> metric = InvariantLPIPS("alex", head="gap", weights="unit")
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     for k in range(3):
        ...         write_image(torch.full((1, 3, 64, 64), k / 4), Path(folder) / f"{k}.png")
        ...     index = embed_folder(metric, folder, Path(folder) / "index.npz", workers=0)
        ...     index.paths, index.columns
        (['0.png', '1.png', '2.png'], 1152)
    """
    out = Path(out)
    reading = reading or Reading()
    check_suffix(out)
    _check_arguments(metric, reading, out, batch_size, tile, workers)
    pictures = find_pictures(source, recursive=recursive)
    settings = settings_for(
        metric, reading, batch_size=batch_size, tile=tile, pictures=pictures.fingerprint()
    )
    unfinished = out.with_name(f"{out.name}.unfinished")
    if out.exists():
        index = _complete(out, settings)
        unfinished.unlink(missing_ok=True)  # a kill may have come between the last two steps
        return index
    if not metric.head.sizeless:
        settings = replace(settings, size=_common_size(pictures, reading, metric.head.name))
    embedder = Embedder(
        metric,
        reading,
        batch_size=batch_size,
        tile=tile,
        workers=workers,
        size=settings.size,
    )
    length = chunk_length(batch_size)
    chunks = range(-(-len(pictures) // length))
    with Journal(unfinished, settings) as journal:
        if not out.exists():  # else another process finished the run while this one waited for its journal
            left = [chunk for chunk in chunks if chunk not in journal]
            with tqdm(total=len(pictures), unit="picture", file=sys.stderr, disable=not progress) as bar:
                bar.update(min(len(journal) * length, len(pictures)))
                records = embedder(pictures, left) if engine is None else engine(embedder, pictures, left)
                for chunk, record in records:
                    journal.add(chunk, record.to_bytes())
                    bar.update(min((chunk + 1) * length, len(pictures)) - chunk * length)
            _write(journal, pictures, settings, out)
    unfinished.unlink(missing_ok=True)
    return _complete(out, settings)


def _check_arguments(
    metric: InvariantLPIPS, reading: Reading, out: Path, batch_size: int, tile: int | None, workers: int
) -> None:
    if not metric.head.euclidean:
        raise ValueError(f"Head {metric.head.name!r} has no embedding; use head='regional' or 'gap'.")
    if batch_size < 1 or workers < 0:
        raise ValueError(
            f"Arguments `batch_size` and `workers` must be at least 1 and 0, but got {batch_size} and {workers}."
        )
    if tile is not None and (not metric.head.sizeless or reading.resize is not None):
        raise ValueError(
            "Embedding in tiles goes with head='gap' and without resizing; leave out `tile` otherwise."
        )
    if not out.absolute().parent.is_dir():
        raise ValueError(f"cannot write {out}: the folder {out.parent} does not exist")


def _common_size(pictures: Pictures, reading: Reading, head: str) -> tuple[int, int]:
    """Height and width of all pictures, from the first one that can be read; ValueError where sizes differ."""
    if reading.resize is not None:
        return reading.resize[1], reading.resize[0]
    if (position := first_of_another_size(pictures)) is not None:
        raise ValueError(
            f"the embedding of head {head!r} grows with the picture, so all pictures must have one size, but "
            f"{pictures.names[position]} has another than those before it; use --resize WxH, or --head gap"
        )
    for position in range(len(pictures)):
        try:
            image = reading(pictures.file(position))
        except (OSError, ValueError):
            continue
        return image.shape[-2], image.shape[-1]
    raise ValueError(f"none of the {len(pictures)} pictures can be read; the first is {pictures.file(0)}")


def _complete(out: Path, settings: Settings) -> Index:
    index = open_index(out)
    if difference := index.settings.difference(settings):
        raise ValueError(
            f"{out} exists and is the index of another run ({difference}); write to another file, or delete it"
        )
    return index


def _write(journal: Journal, pictures: Pictures, settings: Settings, out: Path) -> None:
    paths: list[str] = []
    problems: list[tuple[str, str]] = []
    # What this run and one before a kill leave beside the pictures is no matter.
    own = {f"{out.name}{suffix}" for suffix in ("", ".unfinished", ".writing")}
    skipped = [item for item in pictures.skipped if item.path.name not in own]
    columns = 0
    for record in journal.records():
        paths += [pictures.names[position] for position in record.positions]
        problems += [(pictures.names[position], text) for position, text in sorted(record.problems.items())]
        columns = max(columns, record.vectors.shape[1])
    if not paths:
        name, sentence = problems[0]
        raise ValueError(f"none of the {len(pictures)} pictures could be embedded; {name}: {sentence}")
    # A name that is always the same, so that what a kill leaves is written over: the journal's lock guards it.
    temporary = out.with_name(f"{out.name}.writing")
    with naming(out, temporary):
        WRITERS[out.suffix.lower()](
            Contents(settings, paths, problems, skipped, columns, _rows(journal)), temporary
        )
        temporary.replace(out)


def _rows(journal: Journal) -> Iterator[Tensor]:
    return (record.vectors for record in journal.records() if len(record.positions))
