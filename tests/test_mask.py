"""Masks: what they hide can't matter, what they show counts as much as they say."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest
import torch
from PIL import Image
from torch import Tensor

from invariant_lpips import InvariantLPIPS, write_image
from invariant_lpips.cli import main
from invariant_lpips.pictures.images import eight_bits

HEADS = ("regional", "gap", "spatial")


@pytest.fixture(scope="module", params=HEADS)
def metric(request: pytest.FixtureRequest) -> InvariantLPIPS:
    return InvariantLPIPS("vgg", head=request.param)


@pytest.fixture
def pair() -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    x, y = torch.rand(2, 2, 3, 96, 128, generator=generator) * 2 - 1
    return x, y


def disc(soft: bool = False) -> Tensor:
    down, across = torch.meshgrid(torch.arange(96) - 40.0, torch.arange(128) - 70.0, indexing="ij")
    radius = (down.square() + across.square()).sqrt()
    return ((30 - radius) / 10).clamp(0, 1)[None, None] if soft else (radius < 25)[None, None]


@pytest.mark.parametrize("soft", [False, True])
def test_what_is_hidden_cannot_matter(metric, pair, soft):
    x, y = pair
    mask = disc(soft)
    hidden = mask == 0
    distance = metric(x, y, mask=mask)
    assert distance.shape == (2, 1, 1, 1)
    assert (distance > 0).all()
    for seed in range(2):
        torch.manual_seed(seed)
        changed = torch.where(hidden, torch.rand_like(x) * 2 - 1, x)
        torch.testing.assert_close(metric(changed, y, mask=mask), distance, rtol=1e-6, atol=0)
        torch.testing.assert_close(metric(x, torch.where(hidden, changed, y), mask=mask), distance)
    seen = torch.where(hidden, y, x)  # equal in all that the mask shows
    assert metric(torch.where(hidden, x, y), y, mask=mask).flatten().tolist() == [0, 0]
    assert (metric(seen, y, mask=mask) > 0).all()


def test_a_mask_of_ones_changes_nothing(metric, pair):
    x, y = pair
    torch.testing.assert_close(
        metric(x, y, mask=torch.ones(1, 1, 96, 128)), metric(x, y), rtol=1e-5, atol=1e-7
    )
    half = torch.full((1, 1, 96, 128), 0.5)
    torch.testing.assert_close(metric(x, y, mask=half), metric(x / 2, y / 2), rtol=1e-5, atol=1e-7)


def test_each_pair_has_its_own(metric, pair):
    x, y = pair
    masks = torch.cat([disc(), ~disc()])
    both = metric(x, y, mask=masks)
    for k in range(2):
        alone = metric(x[k : k + 1], y[k : k + 1], mask=masks[k : k + 1])
        torch.testing.assert_close(both[k : k + 1], alone)
    torch.testing.assert_close(metric(x[:1], y, mask=masks)[1:], metric(x[:1], y[1:], mask=masks[1:]))
    torch.testing.assert_close(
        metric.compare(x, y, mask=masks).distance if metric.jnd_fit else both.flatten(), both.flatten()
    )


def test_as_a_loss(metric, pair):
    x, y = pair
    x = x.clone().requires_grad_()
    metric(x, y, mask=disc()).sum().backward()
    assert x.grad is not None
    assert x.grad.isfinite().all()
    assert not x.grad[(~disc()).expand_as(x)].any()
    assert x.grad[disc().expand_as(x)].any()
    x.grad = None
    metric(x, x.detach().clone(), mask=disc()).sum().backward()
    assert not x.grad.any()


@pytest.mark.parametrize(
    ("mask", "error", "sentence"),
    [
        ("disc", TypeError, "must be a torch.Tensor, but got str"),
        (torch.ones(96, 128), ValueError, "must have shape"),
        (torch.ones(3, 1, 96, 128), ValueError, "must have shape"),
        (torch.ones(1, 3, 96, 128), ValueError, "must have shape"),
        (torch.ones(1, 1, 96, 128, dtype=torch.uint8), TypeError, "mask.float\\(\\) / 255"),
        (torch.full((1, 1, 96, 128), 255.0), ValueError, "must lie in \\[0, 1\\]"),
        (torch.full((1, 1, 96, 128), float("nan")), ValueError, "must lie in \\[0, 1\\]"),
        (torch.zeros(1, 1, 96, 128), ValueError, "is 0 everywhere in one"),
    ],
)
def test_other_masks_are_refused(pair, mask, error, sentence):
    with pytest.raises(error, match=sentence):
        InvariantLPIPS("vgg", head="gap")(*pair, mask=mask)


def test_where_it_has_no_meaning_it_is_refused(pair):
    x, y = pair
    gap = InvariantLPIPS("vgg", head="gap")
    for call in (
        lambda: gap(gap.reference(x), y, mask=disc()),
        lambda: InvariantLPIPS("vgg", head="gap", motion="shift")(x, y, mask=disc()),
        lambda: InvariantLPIPS("vgg", head="gap", spatial=True)(x, y, mask=disc()),
    ):
        with pytest.raises(ValueError, match="leave it out with spatial=True, motion or a Reference"):
            call()
    with pytest.raises(ValueError, match="takes no mask; use head='regional'"):
        InvariantLPIPS("vgg", head="gap-spatial")(x, y, mask=disc())


def test_the_command(pair, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    x, y = pair
    mask = disc()
    for folder in ("a", "b", "masks"):
        (tmp_path / folder).mkdir()
    for k in range(2):
        write_image(x[k : k + 1], tmp_path / "a" / f"{k}.png")
        write_image(torch.where(mask, x, y)[k : k + 1] if k else y[:1], tmp_path / "b" / f"{k}.png")
        write_image((mask * 2.0 - 1).expand(1, 3, -1, -1), tmp_path / "masks" / f"{k}.bmp")
    folders = [str(tmp_path / folder) for folder in ("a", "b")]
    options = ["--head", "gap", "--quiet"]
    assert main(["compare", *folders, *options, "--mask", str(tmp_path / "masks")]) == 0
    rows = [line.split(",")[2] for line in capsys.readouterr().out.splitlines()[1:]]
    quantised = [(side[:1] * 127.5 + 127.5).round() / 127.5 - 1 for side in (x, y)]
    expected = InvariantLPIPS("vgg", head="gap")(*quantised, mask=mask).item()
    assert float(rows[0]) == pytest.approx(expected, rel=1e-4)
    assert float(rows[1]) == 0  # they differ in what is hidden alone
    assert (
        main(
            ["compare", *folders, *options, "--mask", str(tmp_path / "masks" / "0.bmp"), "--batch-size", "2"]
        )
        == 0
    )
    again = [line.split(",")[2] for line in capsys.readouterr().out.splitlines()[1:]]
    assert [float(d) for d in again] == pytest.approx([float(d) for d in rows], rel=1e-5)
    (tmp_path / "masks" / "1.bmp").unlink()
    assert main(["compare", *folders, *options, "--mask", str(tmp_path / "masks")]) == 1
    assert "must hold one mask named 1 for" in capsys.readouterr().err
    assert main(["compare", *folders, *options, "--mask", str(tmp_path / "gone.png")]) == 2
    assert "does not exist" in capsys.readouterr().err
    assert main(["compare", *folders, *options, "--mask", folders[0], "--motion", "shift"]) == 2
    assert "--mask does not go with --motion" in capsys.readouterr().err
    for name, picture, sentence in (
        ("ones.png", Image.new("L", (128, 96), 1), "has nothing brighter than 1 of 255"),
        ("classes.png", Image.new("RGB", (128, 96), (255, 255, 0)), "is in colour; save it in grey"),
        ("clear.png", Image.new("LA", (128, 96), (255, 0)), "is transparent; save it in grey"),
        (
            "small.png",
            Image.new("L", (64, 96), 255),
            "its mask must have the size of the pictures, 128 x 96, but has 64",
        ),
    ):
        picture.save(tmp_path / name)
        assert main(["compare", *folders, *options, "--mask", str(tmp_path / name)]) == 2
        out, err = capsys.readouterr()
        assert sentence in err
        assert [row["distance"] for row in csv.DictReader(io.StringIO(out))] == ["", ""]


def test_several_metrics_see_what_a_mask_shows(pair, tmp_path: Path, capsys, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    x, y = pair
    for name, image in (
        ("x.png", x[:1]),
        ("y.png", y[:1]),
        ("mask.png", (disc() * 2.0 - 1).expand(1, 3, -1, -1)),
    ):
        write_image(image, name)
    command = ["compare", "x.png", "y.png", "--mask", "mask.png"]
    expected = []
    for options in (["--net", "pixels"], ["--net", "alex", "--head", "gap"]):
        assert main([*command, *options]) == 0
        expected.append(float(capsys.readouterr().out))
    assert main([*command, "--metrics", "default+pixels,gap+alex"]) == 0
    measured = [float(line.split()[1]) for line in capsys.readouterr().out.splitlines()]
    assert measured == pytest.approx(expected, rel=1e-5)
    for name in ("psnr", "lpips-alex", "default+motion"):
        assert main([*command, "--metrics", f"default+pixels,{name}"]) == 2
        assert f"such as default and gap+alex, but got {name}." in capsys.readouterr().err
    Image.new("L", (64, 96), 255).save("small.png")
    assert main([*command[:-1], "small.png", "--metrics", "gap+alex"]) == 2
    assert "its mask must have the size of the pictures" in capsys.readouterr().err


def test_how_pictures_are_read_says_nothing_of_masks(pair, tmp_path: Path, capsys) -> None:
    pages = [Image.fromarray(eight_bits(side)) for side in pair[0]]
    pages[0].save(tmp_path / "x.tif", save_all=True, append_images=pages[1:])
    write_image(pair[1][:1], tmp_path / "y.png")
    half = Image.new("L", (128, 96), 0)
    half.paste(255, (0, 0, 64, 96))
    half.putalpha(255)  # opaque everywhere
    half.save(tmp_path / "mask.png")
    command = ["compare", str(tmp_path / "x.tif"), str(tmp_path / "x.tif"), "--frame", "1", "--quiet"]
    command += ["--mask", str(tmp_path / "mask.png"), "--head", "gap", "--bands", "3,2,1"]
    assert main(command) == 0
    assert capsys.readouterr().out == "0\n"
