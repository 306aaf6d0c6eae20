"""The pictures of pairs, decoded by threads while the metric is busy with the pairs before."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from torch import Tensor

from invariant_lpips.pictures.pairing import Pair

#: Bytes of decoded pictures that may wait. Of pictures too large for that, nothing is read ahead.
WAITING = 256 * 2**20

#: Gives the decoded picture, or raises what reading it raised.
Picture = Callable[[], Tensor]


#: A picture that pairs may share: its file, and whether it is read as distorted ones are, where they are read apart.
Source = tuple[Path, bool]


def sources(pair: Pair, apart: bool) -> tuple[Source, Source]:
    """The two pictures of a pair; `apart`: distorted ones are read in another way."""
    return (pair.reference, False), (pair.distorted, apart)


def read_ahead(
    reading: Callable[[Path], Tensor],
    pairs: Sequence[Pair],
    *,
    ahead: int,
    threads: int,
    distorted_reading: Callable[[Path], Tensor] | None = None,
) -> Iterator[tuple[Pair, Picture, Picture]]:
    """The pairs in order, with what gives their two pictures.

    A picture that two pairs in a row share is read once, and is then one tensor. Pairs with a known problem are not
    read.

    Args:
        reading: a file to (1, 3, H, W); called in threads.
        pairs: what to read.
        ahead: how many pairs may wait, decoded, behind the one handed out.
        threads: how many decode at once.
        distorted_reading: how the second picture of each pair is read, where not as the first.
    """
    todo = deque(pairs)
    waiting: deque[tuple[Pair, Future[Tensor], Future[Tensor]]] = deque()
    shared: dict[Source, Future[Tensor]] = {}  # of the last pair that was begun
    allowed = 0  # nothing is known of the pictures' sizes yet
    pool = ThreadPoolExecutor(threads, thread_name_prefix="reading")

    def begin(source: Source, problem: str | None) -> Future[Tensor]:
        if problem is not None:
            refused: Future[Tensor] = Future()
            refused.set_exception(ValueError(problem))
            return refused
        path, apart = source
        by = distorted_reading if apart and distorted_reading is not None else reading
        return shared.get(source) or pool.submit(by, path)

    try:
        while todo or waiting:
            while todo and len(waiting) <= allowed:
                pair = todo.popleft()
                left, right = sources(pair, distorted_reading is not None)
                x = begin(left, pair.problem)
                y = x if right == left else begin(right, pair.problem)
                shared = {} if pair.problem is not None else {left: x, right: y}
                waiting.append((pair, x, y))
            pair, x, y = waiting.popleft()
            yield pair, x.result, y.result
            if (size := _bytes(x) + _bytes(y)) > 0:
                allowed = min(ahead, WAITING // size)
    finally:
        pool.shutdown(cancel_futures=True)


def _bytes(picture: Future[Tensor]) -> int:
    """Of a picture that has been read; 0 of any other."""
    return picture.result().nbytes if picture.done() and picture.exception() is None else 0
