"""CSIQ: 30 references of 512x512, 6 kinds of distortion, 866 rated pictures.

::

    csiq/
      src_imgs/         1600.png .. woman.png
      dst_imgs/         awgn/1600.AWGN.1.png  blur/1600.BLUR.1.png  contrast/1600.contrast.1.png
                        fnoise/1600.fnoise.1.png  jpeg/1600.JPEG.1.png  jpeg2000/1600.jpeg2000.1.png
      csiq.DMOS.xlsx    sheet all_by_image: image, dst_idx, dst_type, dst_lev, dmos_std, dmos

DMOS runs from 0 to 1 and LOWER is better. The spreadsheet is read with the standard library. Letter case of
file names is ignored; kinds are coded by their folders.

Reference: E. Larson, D. Chandler, "Most apparent distortion: full-reference image quality assessment and the
role of strategy", Journal of Electronic Imaging 19(1), 2010.
"""

from __future__ import annotations

import re
import zipfile
from pathlib import Path
from xml.etree import ElementTree

from invariant_lpips.datasets.pairs import RatedPair, RatedPairs
from invariant_lpips.datasets.verification import FolderIndex, Problems, check_pictures, find_entry, is_number

__all__ = ["DISTORTIONS", "NAME", "OBTAIN", "load"]

NAME = "csiq"
OBTAIN = "CSIQ is free for research: its authors' page (search for 'CSIQ image quality database') links src_imgs.zip, dst_imgs.zip and csiq.DMOS.xlsx."  # noqa: E501
RATED = 866

DISTORTIONS: dict[str, str] = {
    "awgn": "additive white Gaussian noise",
    "blur": "Gaussian blur",
    "contrast": "contrast decrements",
    "fnoise": "additive pink noise",
    "jpeg": "JPEG compression",
    "jpeg2000": "JPEG 2000 compression",
}
FOLDER_OF_TYPE = {"noise": "awgn", "jpeg 2000": "jpeg2000"}
SPREADSHEET = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"


def load(root: Path, *, verify: bool = True, allow_missing: bool = False) -> RatedPairs:
    """The rated pairs of CSIQ under `root`; see :func:`invariant_lpips.datasets.load_dataset`."""
    root = Path(root)
    problems = Problems(NAME, root, OBTAIN)
    table = find_entry(root, "csiq.DMOS.xlsx")
    if not table.is_file():
        problems.add(f"{table} is missing")
        problems.raise_if_any()
    try:
        rows = read_sheet(table, "all_by_image")
    except (zipfile.BadZipFile, KeyError, ElementTree.ParseError, StopIteration) as error:
        problems.add(f"{table} cannot be read as a spreadsheet with a sheet all_by_image ({error!r})")
        problems.raise_if_any()
    wanted_titles = {"image", "dst_type", "dst_lev", "dmos"}
    header = next((n for n, row in enumerate(rows) if wanted_titles <= set(row)), -1)
    if header < 0:
        problems.add(f"{table} has no row with the titles image, dst_type, dst_lev and dmos")
        problems.raise_if_any()
    titles = rows[header]
    references = FolderIndex(find_entry(root, "src_imgs"))
    above = find_entry(root, "dst_imgs")
    folders = {code: FolderIndex(find_entry(above, code)) for code in DISTORTIONS}
    pairs: list[RatedPair] = []
    listed = 0
    for row in rows[header + 1 :]:
        cells = dict(zip(titles, row, strict=False))
        kind = FOLDER_OF_TYPE.get(cells.get("dst_type", ""), cells.get("dst_type", ""))
        if kind not in DISTORTIONS or not is_number(cells.get("dmos", "")):
            continue
        listed += 1
        image, level = cells["image"], int(float(cells["dst_lev"]))
        wanted = f"{image}.{kind}.{level}.png"
        reference, distorted = references.find(f"{image}.png"), folders[kind].find(wanted)
        for path, name in (
            (reference, references.folder / f"{image}.png"),
            (distorted, folders[kind].folder / wanted),
        ):
            if path is None and not allow_missing and f"{name} is missing" not in problems.found:
                problems.add(f"{name} is missing")
        if reference is not None and distorted is not None:
            score = float(cells["dmos"])
            pairs.append(RatedPair(reference, distorted, score, image, kind, float(level)))
    if verify and not allow_missing and listed != RATED:
        problems.add(f"{table} rates {listed} pictures, but CSIQ has {RATED}")
    if allow_missing and not pairs:
        problems.add(f"none of the {listed} pictures that {table.name} rates is there")
    if verify:
        check_pictures(pairs, problems)
    problems.raise_if_any()
    pairs.sort(key=lambda pair: (pair.reference_id, pair.distortion, pair.level))
    return RatedPairs(NAME, tuple(pairs), higher_is_better=False)


def read_sheet(path: Path, sheet: str) -> list[list[str]]:
    """The cells of one sheet of an xlsx file as text, row by row, empty cells as empty strings."""
    with zipfile.ZipFile(path) as archive:
        strings: list[str] = []
        if "xl/sharedStrings.xml" in archive.namelist():
            for item in ElementTree.fromstring(archive.read("xl/sharedStrings.xml")):
                strings.append("".join(text.text or "" for text in item.iter(f"{SPREADSHEET}t")))
        book = ElementTree.fromstring(archive.read("xl/workbook.xml"))
        sheets = [entry.get("name") for entry in book.iter(f"{SPREADSHEET}sheet")]
        # Excel numbers the files in the order of the sheets unless somebody reordered them; relations say
        # which.
        link = next(entry for entry in book.iter(f"{SPREADSHEET}sheet") if entry.get("name") == sheet)
        relation = next(value for key, value in link.attrib.items() if key.endswith("}id"))
        relations = ElementTree.fromstring(archive.read("xl/_rels/workbook.xml.rels"))
        targets = {entry.get("Id"): entry.get("Target") or "" for entry in relations}
        target = targets.get(relation) or f"worksheets/sheet{sheets.index(sheet) + 1}.xml"
        target = target.lstrip("/")
        data = ElementTree.fromstring(archive.read(target if target.startswith("xl/") else f"xl/{target}"))
    rows = []
    for row in data.iter(f"{SPREADSHEET}row"):
        cells: list[str] = []
        for cell in row.iter(f"{SPREADSHEET}c"):
            column = column_number(cell.get("r") or "")
            cells.extend([""] * (column - len(cells)))
            value = cell.find(f"{SPREADSHEET}v")
            text = (value.text or "") if value is not None else ""
            if cell.get("t") == "s" and text:
                text = strings[int(text)]
            elif cell.get("t") == "inlineStr":
                text = "".join(part.text or "" for part in cell.iter(f"{SPREADSHEET}t"))
            cells.append(text.strip())
        rows.append(cells)
    return rows


def column_number(address: str) -> int:
    """The column of a cell address, counted from 0 ("C7" -> 2)."""
    letters = re.match(r"[A-Z]+", address)
    number = 0
    for letter in letters[0] if letters else "A":
        number = number * 26 + ord(letter) - ord("A") + 1
    return number - 1
