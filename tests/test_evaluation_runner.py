"""The runner: order, reference reuse, caching, resuming after an interruption, several processes."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from invariant_lpips.datasets.pairs import RatedPair, RatedPairs
from invariant_lpips.evaluation import runner
from invariant_lpips.evaluation.runner import score_pairs
from invariant_lpips.evaluation.score_cache import ScoreCache, file_digest
from invariant_lpips.evaluation.scorers import EmbeddingScorer, FunctionScorer


def make_pairs(root: Path, references: int = 3, each: int = 4) -> RatedPairs:
    random = np.random.default_rng(0)
    pairs = []
    for r in range(references):
        base = random.integers(0, 200, (48, 48, 3), dtype=np.uint8)
        Image.fromarray(base).save(root / f"R{r}.png")
        for k in range(each):
            noisy = base + random.integers(0, 10 * (k + 1), base.shape, dtype=np.uint8)
            Image.fromarray(noisy).save(root / f"R{r}_{k}.png")
            pairs.append(
                RatedPair(root / f"R{r}.png", root / f"R{r}_{k}.png", 9.0 - k, f"R{r}", "01", k + 1.0)
            )
    return RatedPairs("tiny", tuple(pairs), higher_is_better=True)


def mean_scorer(calls: list[int] | None = None) -> EmbeddingScorer:
    """Difference of mean brightness; counts the pictures it embeds."""

    def embed(pictures: Tensor) -> Tensor:
        if calls is not None:
            calls.append(len(pictures))
        return pictures.mean(dim=(1, 2, 3))

    return EmbeddingScorer("mean", "mean brightness 1", embed, lambda x, y: (x - y).abs())


def expected(pairs: RatedPairs) -> list[float]:
    def brightness(path: Path) -> float:
        return float(np.asarray(Image.open(path), dtype=np.float64).mean() / 255)

    return [abs(brightness(pair.reference) - brightness(pair.distorted)) for pair in pairs]


def test_scores_are_in_order_and_references_are_read_once(tmp_path: Path) -> None:
    pairs = make_pairs(tmp_path)
    mixed = RatedPairs("tiny", pairs.pairs[::2] + pairs.pairs[1::2], higher_is_better=True)
    calls: list[int] = []
    result = score_pairs(mixed, mean_scorer(calls), batch_size=3, progress=False)
    np.testing.assert_allclose(result.values, expected(mixed), atol=1e-6)
    assert sorted(calls) == [1, 1, 1, 1, 1, 1, 3, 3, 3]  # 3 references, and 4 = 3 + 1 distorted of each
    assert result.computed == 12
    plain = FunctionScorer("plain", "plain", lambda x, y: (x - y).mean(dim=(1, 2, 3)).abs())
    np.testing.assert_allclose(score_pairs(mixed, plain, progress=False).values, expected(mixed), atol=1e-6)


def test_cache_is_used_extended_and_keyed_by_content_and_description(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    pairs = make_pairs(tmp_path / "data")
    cache = tmp_path / "cache"
    first = score_pairs(pairs.select(lambda p: p.level < 3), mean_scorer(), cache=cache, progress=False)
    assert first.computed == 6
    calls: list[int] = []
    second = score_pairs(pairs, mean_scorer(calls), cache=cache, progress=False)
    assert second.computed == 6
    assert sum(calls) == 6 + 3
    np.testing.assert_allclose(second.values, expected(pairs), atol=1e-6)
    assert score_pairs(pairs, mean_scorer(), cache=cache, progress=False).computed == 0
    # Another picture under the same name, or another metric description, is not found.
    file_digest.cache_clear()
    Image.fromarray(np.zeros((48, 48, 3), dtype=np.uint8)).save(pairs[0].distorted)
    assert score_pairs(pairs, mean_scorer(), cache=cache, progress=False).computed == 1
    other = EmbeddingScorer("mean", "mean brightness 2", mean_scorer().embedding, mean_scorer().distance)
    assert score_pairs(pairs, other, cache=cache, progress=False).computed == 12
    assert len(list(cache.iterdir())) == 2


def test_an_interrupted_run_continues_where_it_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pairs = make_pairs(tmp_path)
    cache = tmp_path / "cache"
    monkeypatch.setattr(runner, "TASK_PAIRS", 2)
    seen: list[int] = []

    def fails_late(x: Tensor, y: Tensor) -> Tensor:
        seen.append(len(y))
        if sum(seen) > 6:
            raise KeyboardInterrupt
        return (x - y).mean(dim=(1, 2, 3)).abs()

    scorer = FunctionScorer("late", "late", fails_late)
    with pytest.raises(KeyboardInterrupt):
        score_pairs(pairs, scorer, cache=cache, progress=False)
    path = next(cache.iterdir())
    with path.open("a") as file:
        file.write('{"pair": "torn')  # what a killed process may leave
    seen[:] = [-100]
    result = score_pairs(pairs, scorer, cache=cache, progress=False)
    assert result.computed == 6
    np.testing.assert_allclose(result.values, expected(pairs), atol=1e-6)
    lines = path.read_text().splitlines()
    assert json.loads(lines[0]) == {"metric": "late"}
    assert len(ScoreCache(cache, "tiny", "late", "late").scores) == 12


def test_processes_give_the_same_scores_in_the_same_order(tmp_path: Path) -> None:
    pairs = make_pairs(tmp_path)
    one = score_pairs(pairs, "psnr", progress=False)
    two = score_pairs(pairs, "psnr", workers=2, cache=tmp_path / "cache", progress=False)
    np.testing.assert_array_equal(one.values, two.values)
    assert two.computed == 12
    assert one.higher_is_better
    with pytest.raises(ValueError, match="cannot be sent"):
        score_pairs(pairs, mean_scorer(), workers=2)
    with pytest.raises(ValueError, match="must be positive"):
        score_pairs(pairs, "psnr", workers=0)


def test_bad_scores_and_sizes_name_the_pair(tmp_path: Path) -> None:
    pairs = make_pairs(tmp_path, references=1)
    bad = FunctionScorer("bad", "bad", lambda x, y: torch.tensor([1.0, float("nan"), 1.0, 1.0]))
    with pytest.raises(ValueError, match=r"not finite for pair R0\.png\|R0_1\.png"):
        score_pairs(pairs, bad, batch_size=4, progress=False)
    Image.fromarray(np.zeros((40, 48, 3), dtype=np.uint8)).save(pairs[2].distorted)
    with pytest.raises(
        ValueError, match=r"R0_2\.png must hold pictures of one size, but has 48x48 and 48x40"
    ):
        score_pairs(pairs, "psnr", progress=False)
