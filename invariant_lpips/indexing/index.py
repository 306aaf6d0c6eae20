"""Index files opened for reading: names and settings in memory, rows on disk until they are asked for."""

from __future__ import annotations

import bisect
import itertools
import json
import os
import zipfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from invariant_lpips.indexing.files import WRITERS, pyarrow_parquet, rows_in_a_block
from invariant_lpips.indexing.settings import Settings
from invariant_lpips.pictures.folders import Skipped

#: rows(start, stop) -> (stop - start, D) float32.
Rows = Callable[[int, int], Tensor]


class Index:
    """Embeddings of many pictures, read from disk in blocks.

    Attributes:
        origin: the file or folder.
        settings: how the rows were made.
        paths: the pictures' names, one for each row.
        problems: (path, sentence) of every picture that has no row.
        columns: length of a row.
        skipped: what else was in the folder and not looked at: (path, why).

    Example:
        >>> index = Index.of_tensor(torch.eye(3), ["a", "b", "c"])
        >>> len(index), index.columns, index.rows(1, 2)
        (3, 3, tensor([[0., 1., 0.]]))
    """

    def __init__(
        self,
        origin: str,
        settings: Settings | None,
        paths: Sequence[str],
        problems: Sequence[tuple[str, str]],
        columns: int,
        rows: Rows,
        skipped: Sequence[Skipped] = (),
    ) -> None:
        self.origin, self._settings, self.columns = origin, settings, columns
        self.paths, self.problems, self.skipped = list(paths), list(problems), list(skipped)
        self._rows = rows

    @classmethod
    def of_tensor(cls, embeddings: Tensor, paths: Sequence[str] | None = None) -> Index:
        """An index of embeddings (N, D) that are in memory, such as `metric.embed(x)` returns."""
        if embeddings.dim() != 2 or not embeddings.is_floating_point():
            raise ValueError(
                f"Argument `embeddings` must be floats of shape (N, D), but got {embeddings.dtype} of shape "
                f"{tuple(embeddings.shape)}."
            )
        names = [str(row) for row in range(len(embeddings))] if paths is None else paths
        if len(names) != len(embeddings):
            raise ValueError(f"Argument `paths` must name {len(embeddings)} rows, but names {len(names)}.")
        held = embeddings.detach().float().cpu()
        return cls("a tensor", None, names, (), held.shape[1], lambda start, stop: held[start:stop])

    def __len__(self) -> int:
        return len(self.paths)

    @property
    def settings(self) -> Settings:
        if self._settings is None:
            raise ValueError(
                "This index was made of a tensor, which doesn't say which metric its rows come from."
            )
        return self._settings

    def rows(self, start: int, stop: int) -> Tensor:
        """Rows [start, stop): (stop - start, D) float32 on the CPU; ValueError where the file doesn't hold them."""
        stop = min(stop, len(self))
        try:
            found = self._rows(start, stop)
        except Exception as error:  # of the system, of numpy or of pyarrow
            raise ValueError(_damaged(self.origin, error)) from None
        if found.shape != (stop - start, self.columns) or not bool(found.isfinite().all()):
            raise ValueError(_damaged(self.origin, "its rows are not what it says, or not finite"))
        return found

    def blocks(self) -> Iterator[tuple[int, Tensor]]:
        """All rows in order, in blocks of at most 64 MiB: (first row, rows)."""
        for start in range(0, len(self), self.block_rows):
            yield start, self.rows(start, start + self.block_rows)

    @property
    def block_rows(self) -> int:
        return rows_in_a_block(self.columns)


def open_index(path: str | os.PathLike[str]) -> Index:
    """Open what `embed_folder` or `invariant-lpips embed` wrote; or a folder of such files, as one index.

    Files of a folder must have been made with one metric and one reading; names of pictures are then preceded by the
    file's stem and a slash. Only names and settings are read.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is no index, or the files of a folder don't belong together.
        ImportError: Parquet, without pyarrow.
    """
    path = Path(path)
    if path.is_dir():
        return _joined(path)
    if not path.is_file():
        raise FileNotFoundError(f"there is no such index: {path}")
    readers = {".npz": _open_npz, ".safetensors": _open_safetensors, ".parquet": _open_parquet}
    if path.suffix.lower() not in readers:
        raise ValueError(f"an index must end in one of {', '.join(WRITERS)}, but got {path}")
    try:
        return readers[path.suffix.lower()](path)
    except ImportError:
        raise
    except Exception as error:  # of the system, of zipfile, numpy, json or pyarrow
        raise ValueError(_damaged(path, error)) from None


def _damaged(origin: str | Path, why: object) -> str:
    reason = " ".join(str(why).split())[:200] or type(why).__name__
    return f"{origin} is no index of this package, or is damaged ({reason}); embed the pictures again"


def _open_npz(path: Path) -> Index:
    import numpy as np

    with zipfile.ZipFile(path) as archive_file, path.open("rb") as file:
        member = archive_file.getinfo("embeddings.npy")
        # The member lies there as it is: behind its local header, whose lengths are at bytes 26 and 28.
        file.seek(member.header_offset + 26)
        lengths = file.read(4)
        file.seek(int.from_bytes(lengths[:2], "little") + int.from_bytes(lengths[2:], "little"), os.SEEK_CUR)
        np.lib.format.read_magic(file)
        shape, transposed, kind = np.lib.format.read_array_header_1_0(file)
        offset = file.tell()
    if member.compress_type != zipfile.ZIP_STORED or transposed or kind != np.dtype("<f4"):
        raise ValueError("its embeddings are not stored as rows of float32")
    with np.load(path, allow_pickle=False) as archive:
        about, paths = str(archive["about"]), archive["paths"].tolist()
    return _index(path, about, paths, shape, _mapped_rows(path, offset, shape))


def _open_safetensors(path: Path) -> Index:
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if length > path.stat().st_size:
            raise ValueError("it ends before its header does")
        header = json.loads(file.read(length))
        begin, end = header["paths"]["data_offsets"]
        if not 0 <= begin <= end <= path.stat().st_size:
            raise ValueError("it ends before its names do")
        file.seek(8 + length + begin)
        paths = json.loads(file.read(end - begin))
    if header["embeddings"]["dtype"] != "F32" or header["embeddings"]["data_offsets"][0] != 0:
        raise ValueError("its embeddings are not stored as rows of float32")
    shape = tuple(header["embeddings"]["shape"])
    return _index(path, header["__metadata__"]["about"], paths, shape, _mapped_rows(path, 8 + length, shape))


def _open_parquet(path: Path) -> Index:
    file = pyarrow_parquet().ParquetFile(path)
    about = (file.schema_arrow.metadata or {})[b"invariant_lpips"].decode()
    kind = file.schema_arrow.field("embedding").type
    if str(kind.value_type) != "float":
        raise ValueError("its embeddings are not stored as rows of float32")
    columns = kind.list_size
    paths = file.read(columns=["path"])["path"].to_pylist()
    sizes = [file.metadata.row_group(group).num_rows for group in range(file.num_row_groups)]
    starts = [0, *itertools.accumulate(sizes)]

    def rows(start: int, stop: int) -> Tensor:
        first, last = bisect.bisect_right(starts, start) - 1, bisect.bisect_left(starts, stop)
        table = file.read_row_groups(list(range(first, last)), columns=["embedding"]).combine_chunks()
        values = table["embedding"].chunk(0).flatten().to_numpy().reshape(-1, columns)
        return torch.from_numpy(values[start - starts[first] : stop - starts[first]].copy())

    return _index(path, about, paths, (sum(sizes), columns), rows)


def _mapped_rows(path: Path, offset: int, shape: tuple[int, ...]) -> Rows:
    import numpy as np

    rows, columns = shape
    if min(shape) < 1 or path.stat().st_size < offset + 4 * rows * columns:
        raise ValueError("it ends before its numbers do")
    numbers = np.memmap(path, dtype="<f4", mode="r", offset=offset, shape=shape)
    return lambda start, stop: torch.from_numpy(numbers[start:stop].astype("float32"))


def _index(path: Path, about: str, paths: Any, shape: tuple[int, ...], rows: Rows) -> Index:
    facts: dict[str, Any] = json.loads(about)
    problems = [(name, sentence) for name, sentence in facts["problems"]]
    noted = [(name, why) for name, why in facts.get("skipped", [])]  # files of earlier versions have none
    words = [*paths, *(word for pair in (*problems, *noted) for word in pair)]
    if type(paths) is not list or len(paths) != shape[0] or not all(type(word) is str for word in words):
        raise ValueError(f"it doesn't name its {shape[0]} pictures")
    settings = Settings.from_json(facts["settings"], str(path))
    skipped = [Skipped(Path(name), why) for name, why in noted]
    return Index(str(path), settings, paths, problems, shape[1], rows, skipped)


def _joined(folder: Path) -> Index:
    files = sorted(
        path for path in folder.iterdir() if path.suffix.lower() in WRITERS and path.name[0] != "."
    )
    if not files:
        raise ValueError(f"{folder} holds no index ({', '.join(WRITERS)})")
    parts = [open_index(path) for path in files]
    first = parts[0]
    for part in parts[1:]:
        unlike = part.settings.unlike_rows(first.settings)
        if unlike or part.columns != first.columns:
            raise ValueError(
                f"{first.origin} and {part.origin} don't belong together: {unlike or 'row lengths differ'}"
            )
    stems = [path.stem for path in files]
    starts = [0, *itertools.accumulate(len(part) for part in parts)]

    def rows(start: int, stop: int) -> Tensor:
        first, last = bisect.bisect_right(starts, start) - 1, bisect.bisect_left(starts, stop)
        found = [
            parts[k].rows(max(start - starts[k], 0), min(stop - starts[k], len(parts[k])))
            for k in range(first, last)
        ]
        return torch.cat(found)

    return Index(
        str(folder),
        first.settings,
        [f"{stem}/{name}" for stem, part in zip(stems, parts, strict=True) for name in part.paths],
        [
            (f"{stem}/{name}", text)
            for stem, part in zip(stems, parts, strict=True)
            for name, text in part.problems
        ],
        first.columns,
        rows,
        [
            Skipped(stem / skipped, why)
            for stem, part in zip(map(Path, stems), parts, strict=True)
            for skipped, why in part.skipped
        ],
    )
