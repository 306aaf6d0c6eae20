"""What all commands share: how an error is said, what the exit status means, what help costs."""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import fields
from types import ModuleType

import pytest
import torch

from invariant_lpips import InvariantLPIPS, classifier, cli, indexing
from invariant_lpips.cli import (
    bench_bapps,
    bench_translation,
    devices,
    embed,
    main,
    matrix,
    metric_options,
    metric_parts,
    search,
    train_backbone,
    train_linear,
)
from invariant_lpips.cli.bench import BENCHES
from invariant_lpips.cli.metric_parts import check_parts
from invariant_lpips.cli.train import TARGETS
from invariant_lpips.evaluation import bapps
from invariant_lpips.evaluation.metrics import METRICS
from invariant_lpips.evaluation.translation import bench
from invariant_lpips.heads import DEFAULT_HEAD, HEADS, make_head
from invariant_lpips.motion import MODELS
from invariant_lpips.training import backbone_engine, strengths
from invariant_lpips.trunks import ALIASES, ARCHITECTURES, Trunk
from invariant_lpips.trunks.pooling import PADDINGS, POOLINGS

#: A command for each way in which a file that isn't there is met.
MISSING = (
    ["compare", "nowhere.png", "nowhere.png"],
    ["embed", "nowhere", "--out", "x.npz"],
    ["matrix", "nowhere.npz"],
    ["search", "nowhere.png", "--index", "nowhere.npz"],
    ["duplicates", "nowhere.npz", "--below", "1"],
    ["weights", "path", "nowhere"],
    ["export", "pt2", "-o", "x.pt2", "--weights", "nowhere.safetensors"],
)


@pytest.mark.parametrize("command", MISSING, ids=lambda command: command[0])
def test_an_error_is_one_sentence_and_status_2(command, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(command) == 2
    out, err = capsys.readouterr()
    said_of = " ".join(word for word in command[:2] if word in {command[0], "path"})
    assert out == ""
    assert err.startswith(f"invariant-lpips {said_of}: ")
    assert not err.startswith(f"invariant-lpips {said_of}: error")
    assert "nowhere" in err
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    ("error", "status", "said"),
    [
        (RuntimeError("CUDA error\nCompile with TORCH_USE_CUDA_DSA"), 2, "CUDA error Compile with"),
        (OSError(28, "No space left on device", "x.csv"), 2, "x.csv: No space left on device; make room"),
        (KeyboardInterrupt(), 130, "interrupted"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_a_command_raises(error, status, said, monkeypatch, capsys):
    def run(args):
        raise error

    command = ModuleType("command")
    command.configure, command.run = lambda parser: None, run
    monkeypatch.setitem(sys.modules, "command", command)
    monkeypatch.setitem(cli.COMMANDS, "compare", ("command", "distance between pictures"))
    assert main(["compare"]) == status
    err = capsys.readouterr().err
    assert err.startswith(f"invariant-lpips compare: {said}")
    assert err.count("\n") == 1


@pytest.mark.skipif(sys.platform == "win32", reason="its shell can't close a stream")
@pytest.mark.parametrize(
    ("command", "left", "status"),
    [
        ("compare nowhere.png nowhere.png 2>&-", "", 2),  # and no sentence among the results
        ("weights list >&-", "invariant-lpips weights list: standard output is closed; name a file", 2),
    ],
)
def test_closed_streams(command, left, status):
    program = f'exec "{sys.executable}" -m invariant_lpips {command}'
    done = subprocess.run(["sh", "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == status
    assert (done.stdout + done.stderr)[: len(left) or None] == left


@pytest.mark.parametrize(
    ("arguments", "said_of"),
    [
        ([], "invariant-lpips"),
        (["nonsense"], "invariant-lpips"),
        (["compare", "a.png", "b.png", "--nonsense"], "invariant-lpips compare"),
        (["search", "a.png"], "invariant-lpips search"),
        (["search", "a.png", "--index", "i.npz", "-o", "i.npz"], "invariant-lpips search"),
        (["duplicates", "a", "--below", "1", "-o", "a/0.PNG"], "invariant-lpips duplicates"),
        (["bench", "nonsense"], "invariant-lpips bench"),
        (["bench", "csv", "--nonsense"], "invariant-lpips bench csv"),
        (["bench", "translation", "report", "--nonsense"], "invariant-lpips bench translation report"),
        (["train", "linear", "--nonsense"], "invariant-lpips train linear"),
        (["weights", "path", "x", "--nonsense"], "invariant-lpips weights path"),
    ],
)
def test_wrong_usage_is_said_of_the_command_it_is_about(arguments, said_of, capsys):
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(f"{said_of}: ")
    assert err.endswith(f"; see {said_of} --help\n")
    assert err.count("\n") == 1
    assert "error:" not in err


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("bench speed -o x.json --only zzz", "bench speed: Pattern `only` must match the name of a case"),
        ("bench speed -o x.json --only (", "bench speed: Pattern `only` must be a regular expression"),
        ("bench csv --root x.csv --metrics ,", "bench csv: At least one metric must be named"),
        ("bench translation figures --out nodir", "bench translation figures: nodir must hold"),
        ("bench translation report --out nodir", "bench translation report: nodir must hold"),
        ("train linear --dataset nowhere --root x", "train linear: Option --dataset must be one of"),
        ("weights download nowhere", "weights download: "),
    ],
)
def test_nested_commands_are_named_whole(command, said, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(command.split()) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert err.startswith(f"invariant-lpips {said}")


@pytest.mark.parametrize("arguments", [["--help"], ["compare", "--help"], ["weights", "--help"]])
def test_help_says_what_the_exit_status_means(arguments, capsys):
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 0
    out = " ".join(capsys.readouterr().out.split())
    assert "0 done; 1 some pictures" in out
    assert "130 interrupted" in out


def test_help_and_typos_do_not_wait_for_torch():
    commands = [
        ["--help"],
        ["export", "--help"],
        ["bench", "--help"],
        ["train", "--help"],
        *(["bench", name, "--help"] for name in BENCHES),
        *(["bench", "translation", part, "--help"] for part in ("digits", "report")),
        *(["train", target, "--help"] for target in TARGETS),
        ["train", "linear", "--nonsense"],
        ["bench", "tid2013", "--root", "x", "--nonsense"],
    ]
    program = (
        "import sys\n"
        "from invariant_lpips.cli import main\n"
        f"for command in {commands}:\n"
        "    try:\n"
        "        main(command)\n"
        "    except SystemExit:\n"
        "        assert 'torch' not in sys.modules, command\n"
        "print('all')"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.stdout.endswith("all\n"), done.stderr


def test_what_can_be_refused_without_torch_is(tmp_path):
    (tmp_path / "a.png").touch()
    (tmp_path / "a.mp4").touch()
    commands = [
        ["weights", "list"],
        ["weights", "path", "nowhere"],
        ["compare", "a.png", "nowhere.png"],
        ["compare", "a.png", "nowhere"],
        ["compare", "a.png", "a.png", "--pooling", "blurr"],
        ["compare", "a.png", "a.png", "--head", "gapp"],
        ["compare", "a.png", "a.png", "--net", "vg"],
        ["compare", "a.png", "a.png", "--net", "lpips-vgg-v0.1"],
        ["compare", "a.png", "a.png", "--weights", "nowhere.safetensors"],
        ["compare", "a.png", "a.png", "--head", "regional-32"],
        ["compare", "a.png", "a.png", "--net", "alexnet", "--pooling", "polyphase"],
        ["compare", "a.png", "a.png", "--net", "squeeze", "--head", "regional"],
        ["compare", "a.png", "a.png", "--metric", "lpips", "--net", "pixels"],
        ["compare", "a.png", "a.png", "--metric", "lpips", "--weights", "unit"],
        ["compare", "a.png", "a.png", "--motion", "shift", "--pixels-per-degree", "0"],
        ["compare", "a.png", "a.png", "--unequal-sizes"],
        ["compare", "a.png", "a.png", "--jnd", "--weights", "unit"],
        ["compare", "a.png", "a.png", "--mask", "a.png", "--head", "gap-spatial"],
        ["compare", "a.png", "a.png", "--device", "toaster"],
        ["compare", "a.png", "a.png", "--metrics", "default,nothing"],
        ["compare", "a.png", "a.png", "--metrics", "gap+resnet"],
        ["compare", "a.png", "a.png", "--metrics", "default,regional-32+vgg"],
        ["bench", "tid2013", "--root", ".", "--metrics", "default,gap+pixels+blur"],
        ["compare", "a.png", "a.png", "--metrics", "gap=nowhere.safetensors"],
        ["compare", "a.png", "a.png", "--metrics", "psnr", "--device", "toaster"],
        ["compare", "a.png", "a.png", "--batch-size", "0"],
        ["compare", "a.png", "a.png", "--frames", "1:2"],
        ["compare", "a.png", "a.png", "--map", "a.png"],
        ["compare", "a.png", "a.png", "--mask", "nowhere"],
        ["compare", "a.png", "a.png", "--max-pixels", "0"],
        ["compare", "a.mp4", "a.png"],
        ["compare", "a.mp4", "nowhere.mp4"],
        ["compare", "a.mp4", "a.mp4", "--frame", "1"],
        ["compare", "a.mp4", "a.mp4", "--frames", "5:2"],
        ["compare", "a.mp4", "a.mp4", "--every", "0"],
        ["compare", "a.mp4", "a.mp4", "-o", "x.txt"],
        ["embed", "nowhere", "-o", "x.npz"],
        ["embed", ".", "-o", "x.csv"],
        ["embed", ".", "-o", "x.npz", "--net", "pixels", "--pooling", "blur"],
        ["embed", ".", "-o", "x.npz", "--device", "cuda:x"],
        ["embed", ".", "-o", "nowhere/x.npz"],
        ["matrix", "nowhere"],
        ["matrix", ".", "-o", "nowhere/x.csv"],
        ["duplicates", "nowhere", "--below", "1"],
        ["duplicates", ".", "-o", "nowhere/x.csv"],
        ["search", "a.png", "--index", "a.png", "-o", "nowhere/x.csv"],
        ["search", "a.png", "--index", "nowhere.npz"],
        ["export", "onnx", "-o", "x.onnx", "--head", "gapp"],
        ["export", "onnx", "-o", "x.onnx", "--motion", "shift"],
        ["export", "onnx", "-o", "nowhere/x.onnx"],
        ["compare", "a.png", "a.png", "-N", "3"],
        ["compare", "a.png", "a.png", "--all-pairs"],
        ["bench", "bapps", "--root", ".", "--subsets", "cnn,nothing"],
        ["bench", "tid2013", "--root", ".", "--metrics", "nothing"],
        ["bench", "all", "--root", ".", "--device", "toaster"],
        ["bench", "ladder", "--images", ".", "--metrics", "gap+alexx"],
        ["train", "linear", "--dataset", "tid2013", "--root", ".", "--device", "toaster"],
    ]
    program = (
        "import sys\n"
        "from invariant_lpips.cli import main\n"
        f"for command in {commands}:\n"
        "    status = main(command)\n"
        "    assert status == (0 if command[1] == 'list' else 2), (command, status)\n"
        "    assert 'torch' not in sys.modules, command\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_names_known_without_torch_are_those_there_are():
    assert METRICS == metric_options.METRICS
    assert {net: found.name for net, found in ARCHITECTURES.items()} == metric_parts.TRUNKS
    assert metric_parts.ALIASES == ALIASES
    assert metric_parts.DEFAULT_HEAD == DEFAULT_HEAD
    assert tuple(net for net, found in ARCHITECTURES.items() if found.trained) == metric_parts.LPIPS_NETS
    with pytest.raises(RuntimeError) as refused:
        torch.device("toaster")
    kinds = re.findall(r"one of (.*) device type", str(refused.value))[0].split(", ")
    assert set(kinds) <= set(devices.KINDS)
    assert set(metric_options.HEADS) == set(HEADS)
    assert set(metric_options.POOLINGS) == set(POOLINGS)
    assert set(metric_options.MOTIONS) == set(MODELS)
    assert set(matrix.SUFFIXES) == set(indexing.matrix.SUFFIXES)
    assert tuple(indexing.files.WRITERS) == embed.SUFFIXES
    assert tuple(classifier.HEADS) == metric_options.CLASSIFIER_HEADS
    assert train_backbone.PRECISIONS == backbone_engine.PRECISIONS
    assert tuple(PADDINGS) == train_backbone.PADDINGS
    assert tuple(strengths.LOSSES) == train_linear.LOSSES
    assert set(train_linear.FIT) <= {field.name for field in fields(strengths.FitSettings)}
    assert bench_translation.MEASURES == bench.MEASURES
    assert bench_translation.SIZES == bench.SIZES
    assert bench_bapps.PARTS == bapps.PARTS
    assert search.BACKENDS == indexing.neighbours.BACKENDS


def test_what_is_refused_without_torch_is_what_the_metric_refuses():
    for net in ARCHITECTURES:
        for head in HEADS:
            refused = refusal(lambda net=net, head=head: make_head(head, net))
            assert (refusal(lambda net=net, head=head: check_parts(net, head, None, "unit")) is None) == (
                refused is None
            )
            if refused is None and net != "squeeze":  # whose file is not in the package
                assert make_head(head, net).sizeless == (head not in metric_parts.SIZED_HEADS)
                missing = refusal(lambda net=net, head=head: InvariantLPIPS(net, head))
                said = refusal(lambda net=net, head=head: check_parts(net, head, None, None))
                assert (said is None) == (missing is None)
        for pooling in POOLINGS:
            refused = refusal(lambda net=net, pooling=pooling: Trunk(net, pooling))
            said = refusal(lambda net=net, pooling=pooling: check_parts(net, "gap", pooling, "unit"))
            assert (said is None) == (refused is None)


@pytest.mark.parametrize(
    "command",
    [
        "bench tid2013 --root . --workers 0",
        "bench tid2013 --root . --resamples -1",
        "bench bapps --root . --size 0",
        "bench ladder --images . --limit -1",
        "bench translation digits --seeds 0",
        "compare -d . -N 1",
    ],
)
def test_counts_that_mean_nothing_are_refused_at_once(command, capsys):
    with pytest.raises(SystemExit) as ended:
        main(command.split())
    assert ended.value.code == 2
    option, value = command.split()[-2:]
    said = capsys.readouterr().err
    assert re.search(
        f"argument {option}: expected a whole number of at least [012], but got '{value}'; see", said
    )


@pytest.mark.parametrize(
    ("parts", "said"),
    [
        (("vgg16", "regional-32", None, None), "--net vgg --head regional-32: use --net alex or pixels, or"),
        (("squeeze", None, None, None), "--net squeeze --head gap: use --net vgg, alex or pixels, or"),
        (("alex", "gap", "polyphase", None), "--pooling polyphase goes with --net vgg, but got alex"),
        (
            ("squeeze", "regional", None, None),
            "--head regional goes with --net vgg, alex or pixels, but got squeeze",
        ),
    ],
)
def test_parts_that_do_not_go_together_say_which_do(parts, said):
    assert said in str(refusal(lambda: check_parts(*parts)))
    check_parts("folder/of/mine", "regional-32", "polyphase", None)  # seen once it is read


def refusal(make):
    try:
        make()
    except ValueError as error:
        return error
    return None


def test_torch_is_loaded_without_looking_for_garbage_and_that_is_looked_for_again():
    program = (
        "import gc\n"
        "from invariant_lpips.cli.start_up import load_torch\n"
        "before = gc.get_stats()[0]['collections']\n"
        "load_torch()\n"
        "assert gc.get_stats()[0]['collections'] - before < 100\n"
        "assert gc.isenabled() and gc.get_freeze_count() > 100_000\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


@pytest.mark.skipif(sys.platform != "linux", reason="knows the drivers of Linux")
def test_cuda_is_refused_without_torch_only_where_there_is_no_driver(tmp_path, monkeypatch):
    (tmp_path / "driver").touch()
    monkeypatch.delitem(sys.modules, "torch")
    monkeypatch.setattr(devices.ctypes, "CDLL", lambda name: (_ for _ in ()).throw(OSError(name)))
    monkeypatch.setattr(devices, "DRIVERS", (str(tmp_path / "driver"),))
    devices.check_device("cuda:1")
    monkeypatch.setattr(devices, "DRIVERS", (str(tmp_path / "none"),))
    with pytest.raises(ValueError, match="no CUDA device here"):
        devices.check_device("cuda:1")
