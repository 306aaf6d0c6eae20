"""Index files: rows of numbers, their pictures' names and the settings they were made with, as they lie on disk.

All three formats hold the same: `embeddings` (N, D) float32, `paths`, and the settings with what couldn't be
embedded as JSON. They are written row by row, so that nothing of the size of the index is ever in memory.

============ ============================================================ ===================================
suffix       layout                                                       read with
============ ============================================================ ===================================
.npz         arrays `embeddings`, `paths` and `about` (JSON), stored      numpy.load(file)["embeddings"]
.safetensors tensors `embeddings` and `paths` (JSON list in UTF-8 bytes), safetensors.torch.load_file(file)
             the rest in the metadata under `about`
.parquet     columns `path` and `embedding` (fixed-size list), the rest   pandas, polars, DuckDB, Spark, ...
             in the schema's metadata under `invariant_lpips`
============ ============================================================ ===================================
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from torch import Tensor

from invariant_lpips.indexing.settings import Settings
from invariant_lpips.pictures.folders import Skipped

#: An index is read in blocks of at most so many bytes, and so many rows: distances between the rows of two blocks then
#: fit into memory too, however short the rows.
BLOCK_BYTES = 64 * 2**20
BLOCK_ROWS = 2048


def rows_in_a_block(columns: int) -> int:
    """Rows of a block of an index, which is also a row group of its Parquet file."""
    return max(1, min(BLOCK_ROWS, BLOCK_BYTES // (4 * max(1, columns))))


@dataclass(frozen=True)
class Contents:
    """What goes into an index file.

    Attributes:
        settings: how the rows were made.
        paths: one for each row.
        problems: (path, sentence) of every picture that has no row.
        skipped: what was in the folder and not looked at.
        columns: D.
        blocks: the rows, as float32 tensors (n, D) on the CPU, in order.
    """

    settings: Settings
    paths: Sequence[str]
    problems: Sequence[tuple[str, str]]
    skipped: Sequence[Skipped]
    columns: int
    blocks: Iterable[Tensor]

    def about(self) -> str:
        return json.dumps(
            {
                "settings": self.settings.to_json(),
                "problems": [list(item) for item in self.problems],
                "skipped": [[path.as_posix(), why] for path, why in self.skipped],
            }
        )


def write_npz(contents: Contents, path: Path) -> None:
    import numpy as np

    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        # A fixed date: the same rows give the same bytes.
        def member(name: str) -> IO[bytes]:
            return archive.open(zipfile.ZipInfo(f"{name}.npy", (1980, 1, 1, 0, 0, 0)), "w", force_zip64=True)

        with member("embeddings") as rows:
            shape = (len(contents.paths), contents.columns)
            header = {"descr": "<f4", "fortran_order": False, "shape": shape}
            np.lib.format.write_array_header_1_0(rows, header)
            for block in contents.blocks:
                rows.write(block.numpy().astype("<f4", copy=False).tobytes())
        for name, value in (("paths", list(contents.paths)), ("about", contents.about())):
            with member(name) as rows:
                buffer = io.BytesIO()
                np.lib.format.write_array(buffer, np.array(value), allow_pickle=False)
                rows.write(buffer.getbuffer())


def write_safetensors(contents: Contents, path: Path) -> None:
    names = json.dumps(list(contents.paths)).encode()  # escapes whatever isn't UTF-8
    size = 4 * len(contents.paths) * contents.columns
    header = {
        "__metadata__": {"about": contents.about()},
        "embeddings": {
            "dtype": "F32",
            "shape": [len(contents.paths), contents.columns],
            "data_offsets": [0, size],
        },
        "paths": {"dtype": "U8", "shape": [len(names)], "data_offsets": [size, size + len(names)]},
    }
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)  # the numbers begin at a multiple of 8 bytes
    with path.open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for block in contents.blocks:
            file.write(block.numpy().astype("<f4", copy=False).tobytes())
        file.write(names)


def write_parquet(contents: Contents, path: Path) -> None:
    import numpy as np

    parquet = pyarrow_parquet()
    import pyarrow

    for name in contents.paths:
        if not name.isprintable() and any("\ud800" <= letter <= "\udfff" for letter in name):
            raise ValueError(
                f"Parquet holds UTF-8 only, which the name {name!r} isn't; use .npz or .safetensors"
            )
    kind = pyarrow.list_(pyarrow.float32(), contents.columns)
    schema = pyarrow.schema(
        [("path", pyarrow.string()), ("embedding", kind)], metadata={"invariant_lpips": contents.about()}
    )
    group = rows_in_a_block(contents.columns)
    with parquet.ParquetWriter(path, schema, compression="none", use_dictionary=False) as writer:
        start = 0
        for rows in _regrouped(contents.blocks, group):
            values = pyarrow.array(np.ascontiguousarray(rows.numpy()).reshape(-1))
            names = pyarrow.array(contents.paths[start : start + len(rows)], pyarrow.string())
            columns = [names, pyarrow.FixedSizeListArray.from_arrays(values, contents.columns)]
            writer.write_table(pyarrow.Table.from_arrays(columns, schema=schema), row_group_size=group)
            start += len(rows)


def _regrouped(blocks: Iterable[Tensor], rows: int) -> Iterable[Tensor]:
    """The same rows in blocks of `rows`, the last one shorter."""
    import torch

    waiting: list[Tensor] = []
    count = 0
    for block in blocks:
        waiting.append(block)
        count += len(block)
        while count >= rows:
            joined = torch.cat(waiting)
            yield joined[:rows]
            waiting, count = [joined[rows:]], count - rows
    if count:
        yield torch.cat(waiting)


WRITERS: dict[str, Callable[[Contents, Path], None]] = {
    ".npz": write_npz,
    ".safetensors": write_safetensors,
    ".parquet": write_parquet,
}


def check_suffix(path: Path) -> None:
    """Raise ValueError for a suffix no format has, and ImportError where its package is missing."""
    if path.suffix.lower() not in WRITERS:
        raise ValueError(f"an index must end in one of {', '.join(WRITERS)}, but got {path}")
    if path.suffix.lower() == ".parquet":
        pyarrow_parquet()


def pyarrow_parquet() -> Any:
    """The module `pyarrow.parquet`, which is an extra; ImportError names the command that installs it."""
    try:
        import pyarrow.parquet
    except ImportError:
        raise ImportError("Parquet files need pyarrow: pip install 'invariant-lpips[parquet]'") from None
    return pyarrow.parquet
