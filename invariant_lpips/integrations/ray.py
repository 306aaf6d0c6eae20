"""Ray Data as the engine: embedding and pair scoring as `map_batches` stages, with one metric in each worker.

Two ways in:

- `invariant-lpips embed --engine ray` and `compare --engine ray`, in Python :func:`chunk_engine` for `embed_folder` and
  :func:`pair_engine` for `pictures.compare`: Ray computes, the results are those without it. The workers read the
  pictures, so their folder must be where every machine finds it.
- :func:`embed_stage` and :func:`score_stage`, for pipelines of your own, from Parquet to Parquet:

      paths = ray.data.read_parquet("paths/")                       # a column path
      embed_stage(paths, metric, workers=64, num_gpus=1).write_parquet("embeddings/")

A worker that dies is started again by Ray, and what it was at is done again. That is harmless: a batch gives the same
rows wherever and however often it is computed.
"""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import torch

from invariant_lpips.indexing.journal import Record
from invariant_lpips.indexing.sources import Pictures
from invariant_lpips.indexing.streaming import Embedder, chunk_length
from invariant_lpips.metric import InvariantLPIPS
from invariant_lpips.pictures.images import Reading
from invariant_lpips.pictures.measuring import Measuring, Outcome
from invariant_lpips.pictures.pairing import Pair

#: Pictures or pairs that a task of the engines takes on: enough to be worth sending, few enough to be done again.
PER_TASK = 64


def ray_data() -> Any:
    """The module `ray.data`; ImportError names the command that installs it."""
    try:
        import ray.data
    except ImportError:
        raise ImportError("This engine needs Ray: pip install 'invariant-lpips[ray]'") from None
    return ray.data


def start_ray(*, quiet: bool = False) -> None:
    """Start Ray as a command needs it, unless it runs; with RAY_ADDRESS in the environment, join that cluster.

    Args:
        quiet: let errors alone through; otherwise Ray's warnings too, and what the workers print.
    """
    data = ray_data()
    import ray

    level = logging.ERROR if quiet else logging.WARNING
    if not ray.is_initialized():
        logging.getLogger("ray").setLevel(level)  # for what it says before it reads the level
        with _silent_start() if quiet else contextlib.nullcontext():
            ray.init(logging_level=level, log_to_driver=not quiet)
    # Ray Data has a logger of its own, and bars that would be drawn over the command's.
    logging.getLogger("ray.data").setLevel(level)
    logging.getLogger("ray.data._internal.progress").setLevel(logging.ERROR)  # it warns that there is no bar
    data.DataContext.get_current().enable_progress_bars = False


@contextlib.contextmanager
def _silent_start() -> Iterator[None]:
    """What Ray's core logs goes past Python's logging; told to be silent, it says on stderr that it was told so."""
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")
    stderr, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(stderr, 2)
        os.close(stderr)
        os.close(nowhere)


def embed_stage(
    dataset: Any,
    metric: InvariantLPIPS,
    *,
    workers: int = 2,
    reading: Reading | None = None,
    batch_size: int = 1,
    rows_per_task: int = PER_TASK,
    num_cpus: float = 1,
    num_gpus: float = 0,
) -> Any:
    """A stage that adds the embedding of each row's picture.

    Args:
        dataset: a ray.data.Dataset with a column `path`.
        metric: with an embedding; each worker gets a copy, on its GPU with num_gpus.
        workers: how many, each with a metric of its own.
        reading: how files become tensors.
        batch_size: pictures of one size embedded at once.
        rows_per_task: rows a worker takes at a time.
        num_cpus, num_gpus: of each worker; torch uses num_cpus threads.

    Returns:
        The dataset with columns `embedding` (a list of D float32, or null) and `error` (null, or why there is
        none).
    """
    make = _Portable(metric, num_cpus, num_gpus)
    return _stage(
        dataset,
        _RowEmbedder,
        (make, reading or Reading(), batch_size),
        workers,
        rows_per_task,
        num_cpus,
        num_gpus,
    )


def score_stage(
    dataset: Any,
    metric: Any,
    *,
    workers: int = 2,
    reading: Callable[[Path], torch.Tensor] | None = None,
    batch_size: int = 1,
    unequal_sizes: bool = False,
    rows_per_task: int = PER_TASK,
    num_cpus: float = 1,
    num_gpus: float = 0,
) -> Any:
    """A stage that adds the distance of each row's two pictures.

    Args:
        dataset: a ray.data.Dataset with columns `reference` and `distorted`.
        metric: InvariantLPIPS or LPIPS.
        workers, reading, batch_size, rows_per_task, num_cpus, num_gpus: as for :func:`embed_stage`.
        unequal_sizes: compare pictures of different sizes by their embeddings.

    Returns:
        The dataset with columns `distance` (null where there is none) and `error` (null, or why).
    """
    make = _Portable(metric, num_cpus, num_gpus)
    arguments = (make, reading or Reading(), batch_size, unequal_sizes)
    return _stage(dataset, _PairScorer, arguments, workers, rows_per_task, num_cpus, num_gpus)


def chunk_engine(
    workers: int = 2, num_cpus: float = 1, num_gpus: float = 0, *, quiet: bool = False
) -> Callable[[Embedder, Pictures, Sequence[int]], Iterator[tuple[int, Record]]]:
    """What `embed_folder(engine=...)` takes: its chunks run on Ray's workers and come back in any order."""
    ray_data()  # one that is missing is said now, not once a network is loaded

    def run(embedder: Embedder, pictures: Pictures, chunks: Sequence[int]) -> Iterator[tuple[int, Record]]:
        if not chunks:
            return
        start_ray(quiet=quiet)
        absolute = Pictures(Path(os.path.abspath(pictures.root)), pictures.names)  # noqa: PTH100 (links stay links)
        settings = {
            "reading": embedder.reading,
            "batch_size": embedder.batch_size,
            "tile": embedder.tile,
            "size": embedder.size,
        }
        make = _Portable(embedder.metric, num_cpus, num_gpus)
        per_task = _shared_out(len(chunks), workers, chunk_length(embedder.batch_size))
        tasks = -(-len(chunks) // per_task)
        stage = _stage(
            ray_data().from_items([{"chunk": chunk} for chunk in chunks], override_num_blocks=tasks),
            _ChunkEmbedder,
            (make, absolute, settings),
            min(workers, tasks),
            per_task,
            num_cpus,
            num_gpus,
        )
        for row in stage.iter_rows():
            yield int(row["chunk"]), Record.from_bytes(row["record"])

    return run


def pair_engine(
    workers: int = 2, num_cpus: float = 1, num_gpus: float = 0, *, quiet: bool = False
) -> Callable[[Measuring, Sequence[Pair]], Iterator[Outcome]]:
    """What `pictures.compare(engine=...)` takes: its pairs are measured by Ray's workers and come back in order.

    Batches don't reach from one task into the next: with pictures of several sizes and batch_size > 1 that may change
    last digits.
    """
    ray_data()  # one that is missing is said now, not once a network is loaded

    def run(measuring: Measuring, pairs: Sequence[Pair]) -> Iterator[Outcome]:
        start_ray(quiet=quiet)
        columns = ("reference", "distorted")
        rows = [
            {"number": number, **{name: os.path.abspath(getattr(pair, name)) for name in columns}}  # noqa: PTH100
            for number, pair in enumerate(pairs)
            if not pair.problem
        ]
        found: dict[int, tuple[float | None, str | None]] = {}
        if rows:
            batch_size = measuring.batch_size
            per_task = batch_size * _shared_out(-(-len(rows) // batch_size), workers, batch_size)
            tasks = -(-len(rows) // per_task)
            scored = score_stage(
                ray_data().from_items(rows, override_num_blocks=tasks),
                measuring.metric,
                workers=min(workers, tasks),
                reading=measuring.reading,
                batch_size=batch_size,
                unequal_sizes=measuring.unequal_sizes,
                rows_per_task=per_task,
                num_cpus=num_cpus,
                num_gpus=num_gpus,
            )
            for row in scored.iter_rows():
                found[row["number"]] = row["distance"], row["error"]
        for number, pair in enumerate(pairs):
            yield Outcome(pair, None, pair.problem) if pair.problem else Outcome(pair, *found[number])

    return run


def _shared_out(count: int, workers: int, size: int) -> int:
    """How many of `count` equal pieces of work, each of `size` pictures or pairs, make a task."""
    return max(1, min(PER_TASK // size, -(-count // workers)))


def _stage(
    dataset: Any,
    worker: type,
    arguments: tuple[Any, ...],
    workers: int,
    rows_per_task: int,
    num_cpus: float,
    num_gpus: float,
) -> Any:
    return dataset.map_batches(
        worker,
        fn_constructor_args=arguments,
        batch_size=rows_per_task,
        batch_format="pyarrow",
        num_cpus=num_cpus,
        num_gpus=num_gpus,
        # A pool that grows: one of a fixed size may take every processor, and reading and writing then wait for ever.
        compute=ray_data().ActorPoolStrategy(min_size=1, max_size=workers),
    )


class _Portable:
    """A metric on its way to the workers; called there, it is put on the worker's device.

    Ray holds one copy, which workers that are started again fetch too.
    """

    def __init__(self, metric: Any, num_cpus: float, num_gpus: float) -> None:
        import ray

        self.metric = ray.put(metric)
        self.threads = max(1, int(num_cpus))
        self.on_gpu = num_gpus > 0

    def __call__(self) -> Any:
        import ray

        torch.set_num_threads(self.threads)
        return ray.get(self.metric).to("cuda" if self.on_gpu else "cpu")


class _ChunkEmbedder:
    """Chunks of a list of pictures to their records, as bytes."""

    def __init__(self, make: _Portable, pictures: Pictures, settings: dict[str, Any]) -> None:
        self.pictures = pictures
        self.embedder = Embedder(make(), **settings)

    def __call__(self, table: Any) -> Any:
        import pyarrow

        chunks = table["chunk"].to_pylist()
        records = [record.to_bytes() for _, record in self.embedder(self.pictures, chunks)]
        return pyarrow.table({"chunk": chunks, "record": pyarrow.array(records, pyarrow.large_binary())})


class _RowEmbedder:
    """Rows with a path to rows with an embedding."""

    def __init__(self, make: _Portable, reading: Reading, batch_size: int) -> None:
        self.embedder = Embedder(make(), reading, batch_size=batch_size)

    def __call__(self, table: Any) -> Any:
        import pyarrow

        pictures = Pictures(Path(), tuple(table["path"].to_pylist()))
        chunks = range(-(-len(pictures) // chunk_length(self.embedder.batch_size)))
        vectors: list[Any] = [None] * len(pictures)
        errors: list[str | None] = [None] * len(pictures)
        for _, record in self.embedder(pictures, chunks):
            for position, vector in zip(record.positions, record.vectors.numpy(), strict=True):
                vectors[position] = vector
            for position, sentence in record.problems.items():
                errors[position] = sentence
        rows = pyarrow.array(vectors, pyarrow.list_(pyarrow.float32()))
        return table.append_column("embedding", rows).append_column("error", _texts(errors))


class _PairScorer:
    """Rows with two paths to rows with their distance."""

    def __init__(
        self, make: _Portable, reading: Callable[[Path], torch.Tensor], batch_size: int, unequal_sizes: bool
    ) -> None:
        self.measuring = Measuring(make(), reading, batch_size=batch_size, unequal_sizes=unequal_sizes)

    def __call__(self, table: Any) -> Any:
        import pyarrow

        sides = table["reference"].to_pylist(), table["distorted"].to_pylist()
        pairs = [Pair(Path(x), Path(y), label="") for x, y in zip(*sides, strict=True)]
        outcomes = list(self.measuring(pairs))
        distances = pyarrow.array([outcome.distance for outcome in outcomes], pyarrow.float64())
        errors = _texts([outcome.problem for outcome in outcomes])
        return table.append_column("distance", distances).append_column("error", errors)


def _texts(values: Sequence[str | None]) -> Any:
    import pyarrow

    return pyarrow.array(values, pyarrow.string())
