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

from invariant_lpips.datasets.collecting import Collector, Database
from invariant_lpips.datasets.verification import FolderIndex, find_entry, is_number

__all__ = ["DATABASE", "DISTORTIONS"]

RATED = 866

# Checked against the description of CSIQ in the catalogue github.com/QUALINET/databases (30 references, 866 pictures,
# these kinds); the codes and the sheet's words for them against other public readers of the sheet.
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


def read(collector: Collector) -> None:
    """Read the sheet ``all_by_image``, whose titles stand somewhere above and left of its rows."""
    table = collector.find("csiq.DMOS.xlsx")
    collector.require(table)
    try:
        rows = read_sheet(table, "all_by_image")
    except (zipfile.BadZipFile, KeyError, ElementTree.ParseError, StopIteration) as error:
        collector.problems.stop(
            f"{table} cannot be read as a spreadsheet with a sheet all_by_image ({error!r})"
        )
    header = next(
        (n for n, row in enumerate(rows) if {"image", "dst_type", "dst_lev", "dmos"} <= set(row)), -1
    )
    if header < 0:
        collector.problems.stop(f"{table} has no row with the titles image, dst_type, dst_lev and dmos")
    references = FolderIndex(collector.find("src_imgs"))
    above = collector.find("dst_imgs")
    folders = {code: FolderIndex(find_entry(above, code)) for code in DISTORTIONS}
    for number, row in enumerate(rows[header + 1 :], start=header + 2):
        cells = dict(zip(rows[header], row, strict=False))
        kind = FOLDER_OF_TYPE.get(cells.get("dst_type", ""), cells.get("dst_type", ""))
        if kind not in DISTORTIONS or not all(is_number(cells.get(key, "")) for key in ("dst_lev", "dmos")):
            continue
        image, level = cells["image"], int(float(cells["dst_lev"]))
        collector.add(
            f"{table} row {number}",
            (references, f"{image}.png"),
            (folders[kind], f"{image}.{kind}.{level}.png"),
            float(cells["dmos"]),
            reference_id=image,
            distortion=kind,
            level=float(level),
        )
    collector.expect(RATED, table, of="CSIQ")


def read_sheet(path: Path, sheet: str) -> list[list[str]]:
    """The cells of one sheet of an xlsx file as text, row by row, empty cells as empty strings."""
    with zipfile.ZipFile(path) as archive:
        strings: list[str] = []
        if "xl/sharedStrings.xml" in archive.namelist():
            for item in ElementTree.fromstring(archive.read("xl/sharedStrings.xml")):
                strings.append("".join(text.text or "" for text in item.iter(f"{SPREADSHEET}t")))
        book = ElementTree.fromstring(archive.read("xl/workbook.xml"))
        sheets = [entry.get("name") for entry in book.iter(f"{SPREADSHEET}sheet")]
        # Files are numbered in the order of the sheets unless somebody reordered them; relations say which.
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


DATABASE = Database(
    name="csiq",
    summary="CSIQ: 30 references of 512x512, 6 kinds of distortion, 866 rated pictures.",
    obtain="CSIQ is free for research: its authors' page (search for 'CSIQ image quality database') links "
    "src_imgs.zip, dst_imgs.zip and csiq.DMOS.xlsx.",
    read=read,
    higher_is_better=False,
    distortions=DISTORTIONS,
    rated=RATED,
    parts=(("csiq.dmos.xlsx",), ("src_imgs",), ("dst_imgs",)),
)

#: What `load_dataset` calls; its name here in version 0.1.0.
load = DATABASE.load
