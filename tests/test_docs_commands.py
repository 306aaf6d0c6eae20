"""Commands in README and documentation are ones that the command line takes: the names, the options, the arguments."""

from __future__ import annotations

import importlib
import re
import shlex
from pathlib import Path

import pytest

from invariant_lpips.cli import COMMANDS
from invariant_lpips.cli.bench import BENCHES, EXPERIMENTS
from invariant_lpips.cli.output import PROGRAM, Parser

ROOT = Path(__file__).resolve().parent.parent
PAGES = [
    page
    for page in [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")), *ROOT.glob("weights/*.md")]
    if page.is_file()
]
#: A line of a fenced or indented block, after a prompt if there is one; `\` carries it on.
LINE = re.compile(r"^ *(?:\$ )?(?:python -m invariant_lpips|invariant-lpips) +((?:[^\n\\]|\\\n|\\.)+)$", re.M)
INLINE = re.compile(r"(?<!`)`(?:python -m invariant_lpips|invariant-lpips) ([^`]+)`(?!`)")
SCRIPT = re.compile(r"python ((?:benchmarks|examples|weights|web|docs)/[\w/.-]+\.py)")


def commands(page: Path) -> list[str]:
    text = page.read_text(encoding="utf-8")
    fenced = [
        code
        for language, code in re.findall(r"^```(\w*)\n(.*?)^```", text, re.M | re.S)
        if language != "python"
    ]
    indented = re.findall(r"^    \S.*$", text, re.M)
    found = [line for part in [*fenced, *indented] for line in LINE.findall(part)]
    return [line for line in found if not re.match(r"\w+: |\w+ \w+: ", line)]  # what a command says


def parse(line: str) -> None:
    """As `invariant-lpips` reads it, without running it."""
    words = shlex.split(line.replace("\\\n", " "), comments=True)
    name, *rest = words
    parser = Parser(prog=f"{PROGRAM} {name}")
    importlib.import_module(COMMANDS[name][0]).configure(parser)
    parsed = parser.parse_args(rest)
    if name == "bench" and parsed.name not in EXPERIMENTS:
        inner = Parser(prog=f"{PROGRAM} bench {parsed.name}")
        importlib.import_module(BENCHES[parsed.name][0]).configure(inner, parsed.name)
        inner.parse_args(parsed.arguments)


EVERY = [(page.relative_to(ROOT).as_posix(), line) for page in PAGES for line in commands(page)]


def test_there_are_commands() -> None:
    assert len(EVERY) > 40


@pytest.mark.parametrize(("page", "line"), EVERY, ids=lambda part: part[:60])
def test_the_command_line_takes_it(page: str, line: str, capsys: pytest.CaptureFixture[str]) -> None:
    try:
        parse(line)
    except SystemExit:
        pytest.fail(f"{page} shows a command that is refused: {line}\n{capsys.readouterr().err}")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_commands_named_in_a_sentence_exist(page: Path) -> None:
    text = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.M | re.S)
    for inline in INLINE.findall(text):
        words = inline.split()
        if words[0] in COMMANDS:
            for option in [word for word in words if word.startswith("--")]:
                assert option.partition("=")[0] in options(words), f"{page.name}: `invariant-lpips {inline}`"
        else:
            assert words[0].startswith("-") or not words[0].islower(), f"{page.name}: `{inline}`"


def options(words: list[str]) -> str:
    """The help of the command, in which each of its options stands."""
    parser = Parser(prog=words[0])
    if words[0] == "bench":
        importlib.import_module(BENCHES[words[1]][0]).configure(parser, words[1])
    else:
        importlib.import_module(COMMANDS[words[0]][0]).configure(parser)
    nested = [
        action.choices for action in parser._actions if isinstance(getattr(action, "choices", None), dict)
    ]
    return parser.format_help() + "".join(part.format_help() for one in nested for part in one.values())


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_scripts_exist(page: Path) -> None:
    for script in SCRIPT.findall(page.read_text(encoding="utf-8")):
        assert (ROOT / script).is_file(), f"{page.name} names {script}"
