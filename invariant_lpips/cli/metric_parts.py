"""Which networks, heads, poolings and weights go together: refused without torch, in the command line's words."""

from __future__ import annotations

from invariant_lpips.registry.entries import ENTRIES, linear_name

# What the trunks, heads and poolings say of themselves, which can't be asked before torch is loaded.
#: Network -> what the names of its files begin with.
TRUNKS = {"vgg": "vgg16", "alex": "alexnet", "squeeze": "squeezenet1_1", "pixels": "pixels"}
ALIASES = {"vgg16": "vgg", "alexnet": "alex", "squeezenet": "squeeze", "squeezenet1_1": "squeeze"}
#: Networks of lpips' metric.
LPIPS_NETS = ("vgg", "alex", "squeeze")
DEFAULT_HEAD = {"vgg": "regional", "alex": "regional", "squeeze": "gap", "pixels": "regional"}
#: Heads that need numbers of a network, and the networks whose numbers are known.
HEAD_NETS: dict[str, tuple[str, ...]] = dict.fromkeys(("regional", "regional-32"), ("vgg", "alex", "pixels"))
#: Heads whose embeddings grow with the picture.
SIZED_HEADS = ("spatial", "gap-spatial", "regional", "regional-32")
#: Poolings that stand in for some networks' pools only.
POOLING_NETS: dict[str, tuple[str, ...]] = {"blur": ("vgg", "alex"), "polyphase": ("vgg",)}


def default_head(net: str | None, head: str | None) -> str | None:
    """The head by its name, where `default` or None is that of a network; None where the network is somebody's own.

    Example:
        >>> default_head(None, None), default_head("squeezenet", "default"), default_head("folder/of/mine", None)
        ('regional', 'gap', None)
    """
    if head is not None and head != "default":
        return head
    net = net or "vgg"
    return DEFAULT_HEAD.get(ALIASES.get(net, net))


def check_parts(net: str | None, head: str | None, pooling: str | None, weights: str | None) -> None:
    """Refuse parts of an InvariantLPIPS that don't go together; None is what the metric takes by default.

    A network, head or pooling that isn't the package's own is not looked at.

    Raises:
        ValueError: what does not go together, and the options that do.

    Example:
        >>> check_parts("vgg", "regional-32", None, None)
        Traceback (most recent call last):
        ValueError: no learned weights come with --net vgg --head regional-32: use --net alex or pixels, or name a file
        of your own with --weights, or say --weights unit to weigh all channels alike
    """
    head = default_head(net, head)
    net = ALIASES.get(net or "vgg", net or "vgg")
    if net not in TRUNKS or head is None:
        return
    if (nets := HEAD_NETS.get(head)) and net not in nets:
        raise ValueError(f"--head {head} goes with --net {_either(nets)}, but got {net}; use --head gap")
    if (nets := POOLING_NETS.get(str(pooling))) and net not in nets:
        raise ValueError(
            f"--pooling {pooling} goes with --net {_either(nets)}, but got {net}; leave --pooling out"
        )
    if weights is None and linear_name(TRUNKS[net], head) not in ENTRIES:
        nets = tuple(other for other, trunk in TRUNKS.items() if linear_name(trunk, head) in ENTRIES)
        elsewhere = f"use --net {_either(nets)}, or " if nets else ""
        raise ValueError(
            f"no learned weights come with --net {net} --head {head}: {elsewhere}name a file of your own with "
            "--weights, or say --weights unit to weigh all channels alike"
        )


def check_lpips_parts(net: str | None, weights: str | None) -> None:
    """The same of lpips' metric.

    Raises:
        ValueError: what was expected and what came.
    """
    if net is not None and ALIASES.get(net, net) not in LPIPS_NETS:
        raise ValueError(f"--net of --metric lpips must be {_either(LPIPS_NETS)}, but got {net!r}")
    if weights == "unit":
        raise ValueError(
            "--weights unit does not belong to --metric lpips; name a file of its linear weights"
        )


def _either(names: tuple[str, ...]) -> str:
    return " or ".join([*([", ".join(names[:-1])] if names[:-1] else []), names[-1]])
