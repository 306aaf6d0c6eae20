"""What an input must be: every refusal with its sentence, every kind of tensor that is welcome, nothing changed."""

from __future__ import annotations

import re
import warnings

import numpy as np
import pytest
import torch

from invariant_lpips import LPIPS, InvariantLPIPS
from invariant_lpips import inputs as checks

# Noise on a ramp, reaching -1 and 1 exactly.
GOOD = torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(0)) - torch.linspace(0, 1, 32)
GOOD[0, 0, 0, 0], GOOD[0, 2, 31, 31] = -1, 1


def invariant(**options):
    return InvariantLPIPS(head="gap", weights="unit", **options)


@pytest.fixture(params=["stock", "invariant"])
def metric(request, built):
    return built(LPIPS) if request.param == "stock" else built(InvariantLPIPS, head="gap", weights="unit")


@pytest.fixture(autouse=True)
def no_warning_said_yet(monkeypatch):
    monkeypatch.setattr(checks, "_already_warned", set())


def filled(value: float, where: tuple[int, ...] = (0, 1, 5, 5)) -> torch.Tensor:
    x = GOOD.clone()
    x[where] = value
    return x


REFUSED = {
    "array": (
        GOOD.numpy(),
        TypeError,
        "float tensor of shape (N, 3, H, W), but got ndarray; read files with",
    ),
    "None": (None, TypeError, "but got NoneType"),
    "path": ("a.png", TypeError, "but got str; read files with invariant_lpips.read_image"),
    "list": ([GOOD], TypeError, "but got list"),
    "scalar": (torch.tensor(0.5), ValueError, "shape (N, 3, H, W), but got ()."),
    "two dimensions": (GOOD[0, 0], ValueError, "shape (N, 3, H, W), but got (32, 32)."),
    "no batch": (GOOD[0], ValueError, "but got (3, 32, 32); add the batch dimension with x.unsqueeze(0)"),
    "five dimensions": (GOOD[None], ValueError, "but got (1, 1, 3, 32, 32)"),
    "channels last": (
        GOOD.permute(0, 2, 3, 1),
        ValueError,
        "if the channels come last, use x.permute(0, 3, 1, 2)",
    ),
    "grey": (GOOD[:, :1], ValueError, "construct the metric with repeat_grey=True to repeat"),
    "alpha": (torch.zeros(1, 4, 32, 32), ValueError, "must have 3 channels, but got shape (1, 4, 32, 32)."),
    "no channels": (torch.zeros(1, 0, 32, 32), ValueError, "must have 3 channels"),
    "no images": (torch.zeros(0, 3, 32, 32), ValueError, "at least one image, but got shape (0, 3, 32, 32)"),
    "no rows": (
        torch.zeros(1, 3, 0, 32),
        ValueError,
        "pixels high and wide for this metric, but got 0x32",
    ),
    "no columns": (torch.zeros(1, 3, 32, 0), ValueError, "but got 32x0"),
    "too small": (
        torch.zeros(1, 3, 32, 8),
        ValueError,
        "but got 32x8; enlarge the image.",
    ),
    "uint8": (
        (GOOD * 100).byte(),
        TypeError,
        "got torch.uint8; for uint8 pictures use x.float() / 127.5 - 1, or with normalize=True x.float() / 255",
    ),
    "complex": (
        GOOD.to(torch.complex64),
        TypeError,
        "got torch.complex64; take x.real or x.abs() of a complex",
    ),
    "int64": (
        GOOD.long(),
        TypeError,
        "float32, float16, bfloat16 or float64, but got torch.int64",
    ),
    "bool": (GOOD > 0, TypeError, "but got torch.bool"),
    "float8": (GOOD.to(torch.float8_e4m3fn), TypeError, "but got torch.float8_e4m3fn; use x.float()"),
    "sparse": (GOOD.to_sparse(), TypeError, "dense tensor, but got torch.sparse_coo; call .to_dense() on it"),
    "nested": (
        torch.nested.nested_tensor([GOOD[0], GOOD[0]], layout=torch.jagged),
        TypeError,
        "dense tensor, but got a nested tensor",
    ),
    "another device": (GOOD.to("meta"), ValueError, "is on meta, but the metric is on cpu; move one of them"),
    "nan": (
        filled(float("nan")),
        ValueError,
        "finite values in [-1, 1] (normalize=False), but got NaN or infinity; look for where they arise",
    ),
    "infinity": (filled(float("inf")), ValueError, "but got NaN or infinity; look for where they arise"),
    "minus infinity": (
        filled(-float("inf")),
        ValueError,
        "but got NaN or infinity; look for where they arise",
    ),
    "8 bit": (
        (GOOD + 1) * 127.5,
        ValueError,
        "but got 0 to 255; divide 8-bit values by 127.5 and subtract 1.",
    ),
    "too bright": (
        filled(1.6),
        ValueError,
        "in [-1, 1] (normalize=False), but got -1 to 1.6; clamp the images",
    ),
    "too dark": (filled(-1.51), ValueError, "but got -1.51 to 1; clamp the images to the range."),
}


TAKEN_BY_LPIPS = {"two dimensions", "no batch", "grey", "no images"}


@pytest.mark.parametrize("kind", REFUSED)
@pytest.mark.parametrize("name", ["in0", "in1"])
def test_refused(kind, name, metric):
    x, error, sentence = REFUSED[kind]
    if isinstance(metric, LPIPS) and kind in TAKEN_BY_LPIPS:
        pytest.skip("as lpips does, LPIPS takes it: tests/test_dropin.py")
    pair = (x, GOOD) if name == "in0" else (GOOD, x)
    with pytest.raises(error, match=re.escape(sentence)) as caught:
        metric(*pair)
    message = str(caught.value)
    assert message.startswith(f"Argument `{name}` ")
    assert message.endswith(".")
    assert "\n" not in message


@pytest.mark.parametrize("kind", REFUSED)
def test_refused_by_embed_and_reference(kind, built):
    x, error, sentence = REFUSED[kind]
    metric = built(InvariantLPIPS, head="gap", weights="unit")
    with pytest.raises(error, match=re.escape(sentence)):
        metric.reference(x)
    if kind in ("array", "None", "path", "list"):
        return
    with pytest.raises(error, match=re.escape(sentence)):
        metric.embed(x)
    if kind not in ("no batch", "scalar"):
        with pytest.raises(error, match=re.escape(sentence)):
            metric.embed([GOOD, x])


REFUSED_PAIRS = {
    "sizes": (
        GOOD,
        torch.zeros(1, 3, 32, 48),
        "the same height and width, but got 32x32 and 32x48; resize or crop",
    ),
    "batches": (
        GOOD.expand(2, -1, -1, -1),
        GOOD.expand(3, -1, -1, -1),
        "or one of them a single image, but got 2 and 3",
    ),
}


@pytest.mark.parametrize("kind", REFUSED_PAIRS)
def test_refused_pairs(kind, metric):
    x, y, sentence = REFUSED_PAIRS[kind]
    with pytest.raises(ValueError, match=re.escape(sentence)):
        metric(x, y)


@pytest.mark.parametrize(
    ("low", "high", "sentence"),
    [
        (-1.0, 1.0, "but got -1 to 1; for images in [-1, 1] leave normalize=False."),
        (0.0, 255.0, "in [0, 1] (normalize=True), but got 0 to 255; divide 8-bit values by 255."),
        (0.0, 1.26, "but got 0 to 1.26; clamp the images to the range."),
    ],
)
def test_refused_with_normalize(low, high, sentence, metric):
    x = GOOD.clone()
    x = low + (x + 1) / 2 * (high - low)
    with pytest.raises(ValueError, match=re.escape(sentence)):
        metric(x, x, normalize=True)


@pytest.mark.parametrize(("make", "smallest"), [(LPIPS, 31), (lambda: LPIPS(net="vgg"), 16), (invariant, 32)])
def test_smallest_side(make, smallest):
    metric = make()
    x = torch.zeros(1, 3, smallest, smallest + 5)
    metric(x, x - 0.5)
    for size in [(smallest - 1, 64), (64, smallest - 1)]:
        with pytest.raises(ValueError, match=f"at least {smallest} pixels high and wide"):
            metric(torch.zeros(1, 3, *size), torch.zeros(1, 3, *size))


@pytest.mark.parametrize("checks", ["sometimes", None, True])
def test_unknown_kind_of_checks(checks):
    with pytest.raises(ValueError, match="`checks` must be one of auto, always, never, but got"):
        LPIPS(checks=checks)


# What is accepted, and how often it speaks.


def said(metric, x, y=None, **call):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        metric(x, x if y is None else y, **call)
    return [str(warning.message) for warning in caught]


def test_rounding_outside_the_range_is_silent(metric):
    assert said(metric, filled(1 + 1e-3)) == []
    assert said(metric, filled(-1 - 1e-3)) == []
    assert said(metric, (filled(1 + 1e-3) + 1) / 2, normalize=True) == []


def test_small_excess_warns_once(metric):
    messages = said(metric, filled(1.49))
    assert len(messages) == 1
    assert "values from -1 to 1.49, outside [-1, 1]" in messages[0]
    assert said(metric, filled(-1.49)) == []


def test_likely_wrong_range_warns_once_and_at_the_callers_line(metric):
    stock = isinstance(metric, LPIPS)
    remedy = "they are seen brighter and with half their contrast" if stock else "pass normalize=True"
    with pytest.warns(
        UserWarning, match=rf"none below 0: if your images are in \[0, 1\], {remedy}"
    ) as caught:
        metric(GOOD.abs(), GOOD.abs())
    assert len(caught) == 1
    assert caught[0].filename == __file__
    assert said(metric, GOOD.abs()) == []


def test_right_ranges_are_silent(metric):
    assert said(metric, GOOD) == []
    assert said(metric, (GOOD + 1) / 2, normalize=True) == []
    assert said(metric, torch.zeros(1, 3, 32, 32)) == []
    assert said(metric, torch.full((1, 3, 32, 32), -1.0)) == []


@pytest.mark.parametrize("make", [LPIPS, invariant])
def test_checks_never(make):
    metric = make(checks="never")
    assert metric(filled(float("nan")), GOOD).isnan().all()
    assert metric(GOOD, filled(float("inf"))).isnan().all()
    assert said(metric, GOOD.abs() * 2) == []
    assert metric(GOOD * 100, GOOD).isfinite().all()
    for huge in (1e22, 1e30, 3e38):  # finite, and beyond what float32 can square: never taken for equal
        assert not (metric(GOOD * huge, -GOOD * huge) < 1e6).any()


@pytest.mark.parametrize("pooling", ["max", "blur", "polyphase"])
@pytest.mark.parametrize("head", ["gap", "spatial", "gap-spatial"])
@pytest.mark.parametrize("where", [(0, 0, 0, 0), (0, 2, 31, 31), (0, 1, 7, 8)])
def test_unchecked_nan_is_never_a_number(pooling, head, where, built):
    metric = built(InvariantLPIPS, head=head, weights="unit", pooling=pooling, checks="never")
    assert metric(filled(float("nan"), where), GOOD).isnan().all()
    assert metric(filled(float("nan"), where), filled(float("nan"), where)).isnan().all()


def test_values_are_not_read_on_other_devices_unless_asked():
    x = torch.empty(2, 3, 40, 40, device="meta")
    for setting in ("auto", "always", "never"):
        metric = LPIPS(checks=setting).to("meta")
        assert metric(x, x).shape == (2, 1, 1, 1)


def test_values_are_not_read_while_tracing_or_under_vmap(metric):
    assert not said(torch.compile(metric, backend="eager"), GOOD.abs())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.trace(metric, (filled(float("nan")), GOOD), check_trace=False)
    pairs = torch.stack([GOOD, GOOD.flip(-1)])
    distances = torch.vmap(metric)(pairs, pairs.flip(0))
    torch.testing.assert_close(distances[0], metric(GOOD, GOOD.flip(-1)), rtol=1e-5, atol=0)


def test_fake_tensors(metric):
    from torch._subclasses.fake_tensor import FakeTensorMode

    with FakeTensorMode(allow_non_fake_inputs=True) as mode:
        x = mode.from_tensor(GOOD)
        assert metric(x, x).shape == (1, 1, 1, 1)


def test_grey_is_repeated_when_asked():
    for make in (LPIPS, invariant):
        metric = make(repeat_grey=True)
        grey, other = GOOD[:, :1], GOOD[:, 1:2].flip(-1)
        assert torch.equal(metric(grey, other), metric(grey.repeat(1, 3, 1, 1), other.repeat(1, 3, 1, 1)))
        assert torch.equal(metric(grey, GOOD), metric(grey.repeat(1, 3, 1, 1), GOOD))


def views(x: torch.Tensor) -> dict[str, torch.Tensor]:
    """The same picture, held differently."""
    wide = torch.zeros(1, 3, 32, 64)
    wide[..., ::2] = x
    numpy_reversed = torch.from_numpy(np.ascontiguousarray(x.flip(-1).numpy())).flip(-1)
    return {
        "contiguous": x,
        "channels_last": x.contiguous(memory_format=torch.channels_last),
        "strided": wide[..., ::2],
        "transposed": x.transpose(2, 3).contiguous().transpose(2, 3),
        "reversed": numpy_reversed,
        "offset": torch.cat([x[:, :1], x], dim=1)[:, 1:],
        "parameter": torch.nn.Parameter(x.clone()),
        "subclass": x.clone().as_subclass(Subclass),
    }


class Subclass(torch.Tensor):
    pass


@pytest.mark.parametrize("kind", list(views(GOOD)))
def test_order_in_memory_does_not_matter(kind, metric):
    x = views(GOOD)[kind]
    y = GOOD.flip(-1)
    with torch.no_grad():
        expected = metric(GOOD, y)
        torch.testing.assert_close(metric(x, y).as_subclass(torch.Tensor), expected, rtol=1e-5, atol=0)
        torch.testing.assert_close(metric(y, x).as_subclass(torch.Tensor), expected, rtol=1e-5, atol=0)
        assert (metric(x, GOOD) == 0).all()


def test_expanded_batches(metric):
    x, y = GOOD.expand(3, -1, -1, -1), GOOD.flip(-1)
    with torch.no_grad():
        torch.testing.assert_close(metric(x, y), metric(GOOD, y).expand(3, 1, 1, 1), rtol=1e-5, atol=0)
    flat = torch.tensor(-0.3).expand(2, 3, 32, 32)
    assert (metric(flat, flat) == 0).all()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_precisions_of_images(dtype, metric):
    x, y = GOOD.to(dtype), GOOD.flip(-1).to(dtype)
    expected = metric(x.float(), y.float())
    assert torch.equal(metric(x, y), expected)
    assert torch.equal(metric(x, y.float()), expected)
    x.requires_grad_()
    metric(x, y).sum().backward()
    assert x.grad.dtype == dtype
    assert x.grad.isfinite().all()


@pytest.mark.parametrize("make", [LPIPS, invariant])
@pytest.mark.parametrize("version", ["plain", "normalize", "graph"])
def test_inputs_are_not_written_to(make, version):
    metric = make()
    x, y = GOOD, GOOD.flip(-1)
    if version == "normalize":
        x, y = (x + 1) / 2, (y + 1) / 2
    pair = [x.clone(), y.clone()]
    if version == "graph":
        pair[0].requires_grad_()
    counters = [image._version for image in pair]
    distance = metric(*pair, normalize=version == "normalize", retPerLayer=True)[0]
    if version == "graph":
        distance.sum().backward()
    assert [image._version for image in pair] == counters
    assert torch.equal(pair[0], x)
    assert torch.equal(pair[1], y)


def test_unscaled_inputs_are_not_written_to():
    # version 0.0 hands the caller's own tensor to the first layer.
    metric = LPIPS(version="0.0")
    pair = [GOOD.clone().requires_grad_(), GOOD.flip(-1)]
    metric(*pair).sum().backward()
    assert torch.equal(pair[0], GOOD)


def test_inference_mode(metric):
    expected = metric(GOOD, GOOD.flip(-1))
    with torch.inference_mode():
        x = GOOD.clone()
        y = GOOD.flip(-1).clone().requires_grad_()
        torch.testing.assert_close(metric(x, y), expected, rtol=1e-5, atol=0)
    # Inference tensors may meet tensors that need a gradient.
    z = GOOD.flip(-1).clone().requires_grad_()
    metric(x, z).sum().backward()
    assert z.grad.abs().sum() > 0


def test_no_grad(metric):
    with torch.no_grad():
        assert not metric(GOOD.clone().requires_grad_(), GOOD.flip(-1)).requires_grad
    assert not metric(GOOD, GOOD.flip(-1)).requires_grad


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_autocast(dtype, metric):
    if dtype == torch.float16 and not torch.backends.mkldnn.is_available():
        pytest.skip("float16 convolutions need oneDNN")
    x, y = GOOD.clone().requires_grad_(), GOOD.flip(-1)
    expected = metric(x, y)
    with torch.autocast("cpu", dtype=dtype):
        distance = metric(x, y)
        assert (metric(x, x) == 0).all()
    assert distance.dtype == torch.float32
    torch.testing.assert_close(distance, expected, rtol=5e-2, atol=0)
    distance.sum().backward()
    assert x.grad.dtype == torch.float32
    assert x.grad.isfinite().all()
