"""Small trees of all eight databases as their authors lay them out: coarse patterns under growing noise, and scores."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

SIDE = 48


def scene(number: int) -> np.ndarray:
    coarse = np.random.default_rng(number).integers(60, 190, (12, 12, 3))
    return coarse.repeat(SIDE // 12, axis=0).repeat(SIDE // 12, axis=1).astype(float)


def noisy(number: int, kind: int, level: int) -> np.ndarray:
    """A scene with noise that grows with the level, or, of every other kind, moved in brightness."""
    change = np.random.default_rng([number, kind, level]).normal(0, 5 * level, (SIDE, SIDE, 3))
    return scene(number) + (change if kind % 2 else 7.0 * level)


def picture(path: Path, pixels: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8)).save(path)


def kadid_tree(root: Path) -> None:
    lines = ["dist_img,ref_img,dmos,var"]
    for r in (1, 2, 3):
        picture(root / "images" / f"I{r:02d}.png", scene(r))
        for kind in (1, 2):
            for level in (1, 3, 5):
                name = f"I{r:02d}_{kind:02d}_{level:02d}.png"
                picture(root / "images" / name, noisy(r, kind, level))
                lines.append(f"{name},I{r:02d}.png,{5 - 0.7 * level + 0.05 * r:.2f},0.5")
    (root / "dmos.csv").write_text("\r\n".join(lines) + "\r\n")


def tid_tree(root: Path, kinds: tuple[int, ...] = (1, 2, 18), levels: tuple[int, ...] = (1, 3, 5)) -> None:
    lines = []
    for r in (1, 2, 3):
        picture(root / "reference_images" / f"I{r:02d}.BMP", scene(r))
        for kind in kinds:
            for level in levels:
                name = f"i{r:02d}_{kind:02d}_{level}.bmp"
                picture(root / "distorted_images" / name, noisy(r, kind, level))
                lines.append(f"{7 - level + 0.1 * r:.5f} {name}")
    (root / "mos_with_names.txt").write_text("\n".join(lines) + "\n")


def tid2008_tree(root: Path) -> None:
    tid_tree(root, kinds=(1, 2), levels=(1, 2, 4))


def csiq_tree(root: Path) -> None:
    rows = [["image", "dst_idx", "dst_type", "dst_lev", "dmos_std", "dmos"]]
    for number, image in enumerate(("1600", "child", "sunset"), start=1):
        picture(root / "src_imgs" / f"{image}.png", scene(number))
        for kind, word, folder, file in (
            (1, "noise", "awgn", "AWGN"),
            (2, "jpeg 2000", "jpeg2000", "jpeg2000"),
        ):
            for level in (1, 2, 3):
                picture(
                    root / "dst_imgs" / folder / f"{image}.{file}.{level}.png", noisy(number, kind, level)
                )
                rows.append(
                    [image, str(kind), word, str(level), "0.061", f"{0.2 * level + 0.01 * number:.3f}"]
                )
    xlsx(root / "csiq.DMOS.xlsx", rows)


def live_tree(root: Path) -> None:
    from scipy.io import savemat

    kinds = {"jp2k": 227, "jpeg": 233, "wn": 174, "gblur": 174, "fastfading": 174}
    names, scores = [], []
    for kind, (folder, count) in enumerate(kinds.items()):
        for k in range(count):
            r, level = k % 3, k // 3 + 1
            names.append(f"scene{r}.bmp")
            scores.append(20.0 * level + r)
            if k < 9:
                picture(root / folder / f"img{k + 1}.bmp", noisy(r, kind, level))
    for r in range(3):
        picture(root / "refimgs" / f"scene{r}.bmp", scene(r))
    savemat(root / "refnames_all.mat", {"refnames_all": np.array([names], dtype=object)})
    savemat(root / "dmos_realigned.mat", {"dmos_new": np.array([scores]), "orgs": np.zeros((1, 982))})


def pipal_tree(root: Path) -> None:
    (root / "Train_Label").mkdir(parents=True)
    for r in (1, 2, 3):
        lines = []
        picture(root / "Train_Ref" / f"A{r:04d}.bmp", scene(r))
        for kind in (0, 3):
            for level in (0, 1, 2):
                name = f"A{r:04d}_{kind:02d}_{level:02d}.bmp"
                picture(root / f"Distortion_{1 + kind % 2}" / name, noisy(r, kind, level + 1))
                lines.append(f"{name},{1500 - 60 * level + 5 * r}.07")
        (root / "Train_Label" / f"A{r:04d}.txt").write_text("\n".join(lines) + "\n")


def raid_tree(root: Path) -> None:
    lines = ["Reference,Distorted,Curve_Value,Sigmas,Response,Estimated_MOS"]
    for kind, code in enumerate(("rot", "trans", "scale", "gn")):
        for image in (1, 2):
            for level in (1, 2, 3, 4):
                name = f"{code}_img_{image:02d}_level_{level:02d}.png"
                change = noisy(image, kind, level - 1) if level > 1 else scene(image)
                picture(root / "imagenes_bd" / name, change)
                lines.append(f"img_{image:02d}.png,{name},0,1,{0.6 * (level - 1) + 0.01 * image},5")
    (root / "responses.csv").write_text("\n".join(lines) + "\n")


def bapps_tree(root: Path) -> None:
    subsets = {
        "2afc": ("traditional", "cnn", "superres", "deblur", "color", "frameinterp"),
        "jnd": ("traditional", "cnn"),
    }
    for part, sides, shares, share in (
        ("2afc", ("ref", "p0", "p1"), "judge", 0.25),
        ("jnd", ("p0", "p1"), "same", 1 / 3),
    ):
        for subset in subsets[part]:
            folder = root / part / "val" / subset
            (folder / shares).mkdir(parents=True)
            for k in range(2):
                for s, side in enumerate(sides):
                    picture(folder / side / f"{k:06d}.png", noisy(k, 1, 2 * s) if s else scene(k))
                np.save(folder / shares / f"{k:06d}.npy", np.array([share], dtype=np.float32))


TREES: dict[str, Callable[[Path], None]] = {
    "kadid10k": kadid_tree,
    "tid2013": tid_tree,
    "tid2008": tid2008_tree,
    "csiq": csiq_tree,
    "live": live_tree,
    "pipal": pipal_tree,
    "raid": raid_tree,
    "bapps": bapps_tree,
}


def xlsx(path: Path, rows: list[list[str]]) -> None:
    """A minimal spreadsheet with shared strings, the data starting at column D as in the published file."""
    strings = sorted({cell for row in rows for cell in row if not cell.replace(".", "").isdigit()})
    space = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    office = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    body = ""
    for r, row in enumerate(rows, start=4):
        cells = ""
        for c, cell in enumerate(row):
            address = f"{chr(ord('D') + c)}{r}"
            if cell in strings:
                cells += f'<c r="{address}" t="s"><v>{strings.index(cell)}</v></c>'
            else:
                cells += f'<c r="{address}"><v>{cell}</v></c>'
        body += f'<row r="{r}">{cells}</row>'
    shared = "".join(f"<si><t>{text}</t></si>" for text in strings)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(
            "xl/workbook.xml",
            f'<workbook xmlns="{space}" xmlns:r="{office}"><sheets><sheet name="all_by_distortion" sheetId="1" '
            f'r:id="rId1"/><sheet name="all_by_image" sheetId="2" r:id="rId2"/></sheets></workbook>',
        )
        archive.writestr(
            "xl/_rels/workbook.xml.rels",
            '<Relationships xmlns="x"><Relationship Id="rId1" Target="worksheets/sheet1.xml"/>'
            '<Relationship Id="rId2" Target="worksheets/sheet7.xml"/></Relationships>',
        )
        archive.writestr("xl/sharedStrings.xml", f'<sst xmlns="{space}">{shared}</sst>')
        archive.writestr(
            "xl/worksheets/sheet7.xml",
            f'<worksheet xmlns="{space}"><sheetData>{body}</sheetData></worksheet>',
        )
