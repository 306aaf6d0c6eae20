"""Which weights there are: a name, the sha256 its file must have, and where the file may come from."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Entry:
    """What is known of one file of weights.

    ``torchvision`` is the published file (a key of :data:`invariant_lpips.registry.download.TORCHVISION`) whose
    ``features.*`` tensors, written canonically, are this one. ``sha256`` is None where we never saw the
    result; the file is then made from torchvision's, whose sha256 is known, or is the user's own, and never
    comes from the Hub. ``float32`` is the sha256 of the same tensors written in float32: by it parameters in
    use are recognised without the file being read again.
    """

    file: str
    sha256: str | None
    licence: str
    note: str
    torchvision: str | None = None
    float32: str | None = None


def _trunk(
    name: str, sha256: str | None, note: str, torchvision: str | None = None, float32: str | None = None
) -> tuple[str, Entry]:
    licence = "BSD-3-Clause (torchvision)"
    return name, Entry(f"{name}.safetensors", sha256, licence, note, torchvision, float32)


def _lpips(name: str, sha256: str) -> tuple[str, Entry]:
    return name, Entry(f"{name}.safetensors", sha256, "BSD-2-Clause (lpips)", "linear weights of lpips 0.1.4")


def _ours(name: str, sha256: str, note: str) -> tuple[str, Entry]:
    return name, Entry(f"{name}.safetensors", sha256, "Apache-2.0", note)


# One line adds a file: put it into weights/ with a card, and its name and sha256 here.
ENTRIES: dict[str, Entry] = dict(
    [
        _trunk(
            "vgg16",
            "5105565f61f287d1d7e9de6b5bf2a394916e5861308861519fdd92262bdf5430",
            "VGG-16 convolutions, mostly float16",
            float32="a71109c6af1f18191313cad0caf0893779c63a9ba7d5cc502cf235d9d2f64a6b",
        ),
        _trunk(
            "alexnet",
            "db775859525e438ffa2b101112e2b5a3a4d01d9ba74cadbdb2d4df3c0d33a953",
            "AlexNet convolutions, mostly float16",
            float32="64653d1a0250b3ef8a8e3649d4877d0c535429d4fa23205b908c59c4173e1910",
        ),
        _trunk(
            "vgg16-float32",
            "cabd922aeb0dd6d56f2bed33221aee74b7f1e760ddd105c0e0891606cbab6d0d",
            "VGG-16 convolutions, float32",
            torchvision="vgg16-397923af.pth",
        ),
        _trunk(
            "alexnet-float32",
            "9f97fd313f4da83dbe6bbfbe6effca1241de9edfcd7c53386261ed9697286dd9",
            "AlexNet convolutions, float32",
            torchvision="alexnet-owt-7be5be79.pth",
        ),
        _trunk(
            "squeezenet1_1",
            None,
            "SqueezeNet 1.1 convolutions, float32",
            torchvision="squeezenet1_1-b8a52dc0.pth",
        ),
        _ours(
            "pixels",
            "057e4168ad893cf27c4e6b63c54b0ebae11c45f38cd9120eac4c47583a39f6d1",
            "filters of the front end pixels, float32; nothing learned",
        ),
        _lpips("lpips-vgg-v0.0", "21d7a7ffc57943cd7abbcebbeb673223cc5a25bde12a8505d7354b3c2a6d7f87"),
        _lpips("lpips-vgg-v0.1", "61f275f169341672e38949c908473e2079207da7c2e17a378734a4409fb5b090"),
        _lpips("lpips-alex-v0.0", "7b946086d4bd8647d78064ab8db2f80abccaa499dc19e49e1eaae81b948f3347"),
        _lpips("lpips-alex-v0.1", "b2eb412ca050d6762cf9e5c851f7a0a326eeffc4ff14d11c6b5a16a245e13bf7"),
        _lpips("lpips-squeeze-v0.0", "f5600e8a58b26c9400a5d50b402315683381f52f70c10acdb80957f048acb5ee"),
        _lpips("lpips-squeeze-v0.1", "59c0b28df105e8360b04a17da244c21b2a04296ceeedb026a50e393c55465963"),
        _ours(
            "vgg16-gap",
            "929d55ec80cba8d4bce146d29d600bce22cfc8ef004e205da5d74a517ddcf279",
            "linear weights of head gap, learned on TID2013 (resynthesised)",
        ),
        _ours(
            "vgg16-spatial",
            "589a5c835aab173ae6e85b67a21ef035ab265d18eea8a4e6c9f5e0cded2d3b7d",
            "linear weights of head spatial, learned on TID2013 (resynthesised)",
        ),
        _ours(
            "vgg16-gap-spatial",
            "b0b5d8de06caf07f183b866194e190ac72d8afa887f8e7166ba684624359b25d",
            "linear weights of head gap-spatial, learned on TID2013 (resynthesised)",
        ),
        _ours(
            "vgg16-regional",
            "83177e9a47a978f685be5ff316185f0e9c66634977c327baa29842a544f5e9b2",
            "linear weights of head regional, learned on TID2013 (resynthesised)",
        ),
        _ours(
            "vgg16-gap-blur",
            "ee53842f1d530c1132e4d58c6ddc243899b7b5cfd995b48330674d2f7411a9ae",
            "linear weights of head gap with blur pooling, learned on TID2013 (resynthesised)",
        ),
        _ours(
            "vgg16-regional-blur",
            "acce2243ffb3f389a7b8da59379cbdd1eaf67ab147ab015f77b0c4f320e36311",
            "linear weights of head regional with blur pooling, learned on TID2013 (resynthesised)",
        ),
        _ours(
            "alexnet-gap-blur",
            "60cd3a68dad08e7b02a26f6bf7b126ce8f02b62e47d6402a045b8f1964fefdce",
            "linear weights of head gap with blur pooling, learned on TID2013 (resynthesised)",
        ),
        _ours(
            "alexnet-regional-blur",
            "d442cb709fa678e61571a2ea498b98efda3d966a6581bf4fb5fd455249f314bb",
            "linear weights of head regional with blur pooling, learned on TID2013 (resynthesised)",
        ),
        _ours(
            "alexnet-regional",
            "e1f8371f97bdccf20aaf34d62ebe253699b02edf697c87c41019934e239f6d50",
            "linear weights of head regional, learned on TID2013 (resynthesised)",
        ),
        _ours(
            "alexnet-regional-32",
            "e1e238ed271a31532bc7f324383c346a628ca1720d7be8ea05db324cad859096",
            "linear weights of head regional-32, learned on TID2013 (resynthesised)",
        ),
        _ours(
            "alexnet-gap",
            "eb27462bfbf016a7a9a76b9282b10f2d77a5e4de0d18ca70e6c351bc3e271ae6",
            "linear weights of head gap, learned on TID2013 (resynthesised)",
        ),
        _ours(
            "pixels-regional",
            "656f72fcc56ab3c558d248585a422c86fff990700b25300f731dd5f373315afc",
            "linear weights of head regional, learned on TID2013 (resynthesised)",
        ),
        _ours(
            "pixels-regional-32",
            "499bc7a79c72d587eee530aa07a8c32fcb2f7864c78a24be462a5b9c811c1dfa",
            "linear weights of head regional-32, learned on TID2013 (resynthesised)",
        ),
        _ours(
            "pixels-gap",
            "4d129afca3544f96f3fad3fc3d7441978722b1ade98a4d2a2c2058673dae1d03",
            "linear weights of head gap, learned on TID2013 (resynthesised)",
        ),
        _ours(
            "vgg16-final-gap",
            "b81e9ef3425a8c534bb5f21688d2d3cace26516d0f502a6befb7b5e5aaaf052d",
            "GAP classifier, the 101 classes of Caltech-101 (GAPClassifier.from_pretrained)",
        ),
        _ours(
            "vgg16-multi-gap",
            "a8c3be5d0ce419ae78fc80f0b35bfb16b0ab3c6f52fda22a94b87fd938607cf4",
            "GAP classifier, the 101 classes of Caltech-101 (GAPClassifier.from_pretrained)",
        ),
    ]
)


def linear_name(trunk: str, head: str, pooling: str = "max") -> str:
    """What a head's linear weights are called: TRUNK-HEAD, and -POOLING if they were fitted with another than max.

    Example:
        >>> linear_name("vgg16", "gap"), linear_name("vgg16", "gap", "blur")
        ('vgg16-gap', 'vgg16-gap-blur')
    """
    return f"{trunk}-{head}" if pooling == "max" else f"{trunk}-{head}-{pooling}"
