"""Pictures and metrics that several test files share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from torch import Tensor

Photo = Callable[..., Tensor]


@pytest.fixture(autouse=True)
def same_threads() -> Iterator[None]:
    """A test leaves torch's threads as it found them: kernels round by their number."""
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="session")
def photo() -> Photo:
    """photo(name, height, width): a crop around the middle of a picture bundled with scikit-image."""
    data = pytest.importorskip("skimage.data", reason="needs scikit-image's bundled photographs")

    def crop(name: str = "astronaut", height: int = 64, width: int = 64) -> Tensor:
        picture = torch.from_numpy(getattr(data, name)()).permute(2, 0, 1).unsqueeze(0)
        top, left = (picture.shape[-2] - height) // 3, (picture.shape[-1] - width) // 2
        return picture[..., top : top + height, left : left + width].float() / 127.5 - 1

    return crop


@pytest.fixture(scope="session")
def noisy() -> Callable[..., Tensor]:
    """noisy(x, sigma, seed): x with normal noise of sigma grey levels of 255, clamped to [-1, 1]."""

    def add(x: Tensor, sigma: float = 20.0, seed: int = 0) -> Tensor:
        noise = torch.randn(x.shape, generator=torch.Generator().manual_seed(seed))
        return (x + noise * sigma / 127.5).clamp(-1, 1)

    return add


@pytest.fixture(scope="session")
def built() -> Callable[..., Any]:
    """built(cls, **arguments): a metric made once for the session; leave it as you found it."""
    made: dict[Any, Any] = {}

    def make(cls: type, **arguments: Any) -> Any:
        key = (cls, *sorted(arguments.items()))
        if key not in made:
            made[key] = cls(**arguments)
        return made[key]

    return make


@pytest.fixture(scope="session")
def named(built: Callable[..., Any]) -> Callable[[str], Any]:
    """named("gap"), "gap-map", "gap-polyphase", "alex", "vgg", "default" ...: metrics by a short name."""
    from invariant_lpips import LPIPS, InvariantLPIPS

    def make(name: str) -> Any:
        spatial = name.endswith("-map")
        name = name.removesuffix("-map")
        if name in ("alex", "vgg"):
            return built(LPIPS, net=name, spatial=spatial)
        if name == "default":
            return built(InvariantLPIPS)
        pooling = next((p for p in ("blur", "polyphase") if name.endswith(f"-{p}")), "max")
        head = name.removesuffix(f"-{pooling}")
        return built(InvariantLPIPS, head=head, weights="unit", pooling=pooling, spatial=spatial)

    return make
