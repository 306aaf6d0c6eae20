"""Names of metrics, understood without torch: the default ones, whether a name is one, and what ours are made of."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

#: What the benchmarks measure where no metrics are named: on rated databases, on BAPPS, on the ladder of displacements.
RATED = ("default", "regional-32+alex", "gap", "lpips-vgg", "lpips-alex", "ssim", "psnr")
BAPPS = ("default", "gap", "lpips-vgg", "lpips-alex", "psnr")
LADDER = ("default", "gap", "lpips-vgg")

_MOTION = re.compile(r"motion(\d+(?:\.\d+)?)?")


class Vocabulary(NamedTuple):
    """The names that there are: of single metrics, and of what a metric of ours is made of."""

    singles: tuple[str, ...]
    heads: tuple[str, ...]
    nets: tuple[str, ...]
    poolings: tuple[str, ...]


class OwnName(NamedTuple):
    """A metric of ours by its name ``HEAD[+NET][+POOLING][+unit][+bf16][+MOTION][=WEIGHTS]``; None where it says none.

    `motion` is the pixels per degree of ``motion71``, and "" of ``motion`` alone.
    """

    head: str
    net: str | None = None
    pooling: str | None = None
    weights: str | None = None
    bf16: bool = False
    motion: str | None = None


def is_callable_name(name: str) -> bool:
    """Whether a name is that of a function, ``module:function`` or ``module:function:higher``."""
    return ":" in name.partition("=")[0]


def check_name(name: str, known: Vocabulary) -> None:
    """Refuse a name that no metric has; whether its package, its function or weights that fit are there is seen later.

    Raises:
        ValueError: no metric has this name (the message lists those that exist), or a part of it is unknown.

    Example:
        >>> known = Vocabulary(("psnr", "ssim"), ("gap",), ("vgg", "alex"), ("max", "blur"))
        >>> check_name("psnr", known), check_name("gap+alex", known)
        (None, None)
        >>> check_name("psnrr", known)
        Traceback (most recent call last):
        ValueError: Metric must be one of psnr, ssim, default, gap or module:function, but got 'psnrr'.
        >>> check_name("alex+gap", known)
        Traceback (most recent call last):
        ValueError: Metric 'alex+gap' begins with a net; write the head first, as in 'default+alex'.
    """
    if name in known.singles:
        return
    first = re.split("[+=]", name, maxsplit=1)[0]
    if first in ("default", *known.heads):
        own_name(name, known)
    elif first in known.nets:
        raise ValueError(f"Metric {name!r} begins with a net; write the head first, as in 'default+{first}'.")
    elif not is_callable_name(name):
        names = ", ".join((*known.singles, "default", *known.heads))
        raise ValueError(f"Metric must be one of {names} or module:function, but got {name!r}.")


def check_names(names: Iterable[str], known: Vocabulary) -> None:
    """The same of several."""
    for name in names:
        check_name(name, known)


def check_masks(names: Iterable[str], known: Vocabulary) -> None:
    """Refuse metrics that take no masks: those of others, and ours with motion.

    Raises:
        ValueError: the names of them.

    Example:
        >>> check_masks(["gap", "psnr"], Vocabulary(("psnr",), ("gap",), (), ()))
        Traceback (most recent call last):
        ValueError: A mask is for metrics of this package without motion, such as default and gap+alex, but got psnr.
    """
    without = [
        name
        for name in names
        if name in known.singles or is_callable_name(name) or own_name(name, known).motion is not None
    ]
    if without:
        raise ValueError(
            "A mask is for metrics of this package without motion, such as default and gap+alex, but got "
            f"{', '.join(without)}."
        )


def own_name(name: str, known: Vocabulary) -> OwnName:
    """What a metric of ours is made of, from its name.

    Raises:
        ValueError: a part of the name is unknown, or the file of weights isn't there.

    Example:
        >>> known = Vocabulary((), ("gap",), ("vgg", "alex"), ("max", "blur"))
        >>> own_name("gap+alex+motion71", known)
        OwnName(head='gap', net='alex', pooling=None, weights=None, bf16=False, motion='71')
    """
    specification, _, path = name.partition("=")
    head, *options = specification.split("+")
    found = OwnName(head, weights=path or None)
    for option in options:
        if option in known.nets:
            found = found._replace(net=option)
        elif option in known.poolings:
            found = found._replace(pooling=option)
        elif option == "unit":
            found = found._replace(weights="unit")
        elif option == "bf16":
            found = found._replace(bf16=True)
        elif (match := _MOTION.fullmatch(option)) is not None:
            found = found._replace(motion=match[1] or "")
        else:
            raise ValueError(
                f"Metric {name!r} must read HEAD[+NET][+POOLING][+unit][+bf16][+motion[PIXELS PER DEGREE]][=WEIGHTS] "
                f"with a net of {', '.join(known.nets)} and a pooling of {', '.join(known.poolings)}, "
                f"but holds {option!r}."
            )
    if path and not Path(path).is_file():
        raise ValueError(f"Metric {name!r} names weights that are not there: {path}.")
    return found
