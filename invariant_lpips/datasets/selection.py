"""Which pairs of a database are meant: kinds of distortion, levels and references as a command names them."""

from __future__ import annotations

from collections.abc import Sequence

from invariant_lpips.datasets.pairs import RatedPairs

__all__ = ["select_pairs"]


def select_pairs(
    pairs: RatedPairs,
    *,
    types: str | None = None,
    levels: str | None = None,
    references: str | None = None,
) -> RatedPairs:
    """The pairs of some kinds of distortion, levels and references, as the options name them.

    Args:
        pairs: the pairs to choose from.
        types: comma-separated codes ("rot,gn"); numbers may be ranges and need no leading zero ("1-11,14").
        levels: comma-separated numbers or ranges.
        references: comma-separated names, in any letter case.

    Raises:
        ValueError: a code, level or reference is not in the database, or nothing is left.
    """
    if types:
        wanted = expand(types, pairs.distortions)
        pairs = pairs.select(lambda pair: pair.distortion in wanted)
    if levels:
        steps = expand(levels, tuple(sorted({f"{pair.level:g}" for pair in pairs})))
        pairs = pairs.select(lambda pair: f"{pair.level:g}" in steps)
    if references:
        chosen = expand(references, pairs.references)
        pairs = pairs.select(lambda pair: pair.reference_id in chosen)
    if not len(pairs):
        raise ValueError("No pair is left: widen --types, --levels or --references.")
    return pairs


def expand(text: str, known: Sequence[str]) -> set[str]:
    """The known names that a comma-separated list with ranges of numbers stands for."""
    by_name = {name.lower(): name for name in known}
    by_name.update({str(int(name)): name for name in known if name.isdigit()})
    chosen = set()
    for item in (part.strip().lower() for part in text.split(",")):
        low, dash, high = item.partition("-")
        if item in by_name:
            chosen.add(by_name[item])
        elif dash and low.isdigit() and high.isdigit() and int(low) <= int(high):
            chosen |= {by_name[str(k)] for k in range(int(low), int(high) + 1) if str(k) in by_name}
        else:
            raise ValueError(f"{item!r} is not in the database, which has {', '.join(known)}.")
    return chosen
