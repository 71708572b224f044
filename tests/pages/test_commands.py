"""Commands on pages, in notebooks and in messages are commands that exist, with their options."""

from __future__ import annotations

import argparse
import ast
import contextlib
import io
import json
import re
import shlex
import tomllib
from collections.abc import Iterator

import pytest

from tests.pages.fences import TOP, Block, blocks, pages
from tradenb import cli, script

SPAN = re.compile(r"`((?:\.venv/bin/)?(?:tradenb|python \w+\.py)(?: [^`]*)?)`")
TARGETS = set(re.findall(r"^([a-z-]+):", (TOP / "Makefile").read_text("utf-8"), re.MULTILINE))
EXTRAS = set(
    tomllib.loads((TOP / "pyproject.toml").read_text("utf-8"))["project"]["optional-dependencies"]
)
TRADENB, BOT = cli._parser(), script._parser(None)
(VERBS,) = (each.choices for each in TRADENB._actions if isinstance(each.choices, dict))
# A page names a command without what it always needs, as in "`tradenb arm` allows it".
LEFT_OUT = ("the following arguments are required", "expected one argument")
VALUES = {"PRICE": "100", "FRACTION": "0.5"}


def complaint(parser: argparse.ArgumentParser, words: list[str]) -> str:
    """What a parser says against words, or nothing."""
    said = io.StringIO()
    with contextlib.redirect_stderr(said), contextlib.redirect_stdout(io.StringIO()):
        try:
            parser.parse_args([VALUES.get(word, word) for word in words])
        except SystemExit as ended:
            return said.getvalue().rpartition("error: ")[2].strip() if ended.code else ""
    return ""


def strange_options(words: list[str]) -> list[str]:
    """Options of a command of tradenb that it does not have, also where a needed one is missing."""
    known = VERBS.get(words[0], TRADENB)._option_string_actions
    return [word for word in words if word[:2] == "--" and word not in known]


def forms(text: str) -> Iterator[str]:
    """Each way to read `[NAME]` and `--once | --every 30s`."""
    if optional := re.search(r"\[([^\]]*)\]", text):
        before, after = text[: optional.start()], text[optional.end() :]
        yield from forms(before + optional[1] + after)
        yield from forms(before + after)
    elif " | " in text:
        first, *others = text.split(" | ")
        yield first
        yield from (f"{first.rpartition(' ')[0]} {other}" for other in others)
    else:
        yield text


def wrong_with(command: str, *, mentioned: bool = False) -> str:
    """What is wrong with a command, or nothing; one that is mentioned may lack what it needs."""
    program, *words = shlex.split(command, comments=True)
    match program.removeprefix(".venv/bin/"), words:
        case "tradenb", []:
            return ""
        case "tradenb", _:
            found = complaint(TRADENB, words)
            left_out = mentioned and any(each in found for each in LEFT_OUT)
            return " ".join(strange_options(words)) if left_out else found
        case "python" | "python3", ["-m", ("venv" | "pytest"), *_]:
            return ""
        case "python", ["-c", code]:
            ast.parse(code)
            return ""
        case "python", [file, *options] if file.endswith(".py"):
            return complaint(BOT, options)
        case "make", targets:
            return " ".join({*targets} - TARGETS)
        case "pip", ["install", *what]:
            asked = {extra for each in what for extra in re.findall(r"\[(.+)\]", each)}
            return " ".join(asked - EXTRAS)
        case "jupyter", ["lab"]:
            return ""
        case "ssh", _:
            return ""
    return "nothing here knows it"


def commands_of(block: Block) -> list[str]:
    """The commands of a block of the shell."""
    lines = block.text.replace("\\\n", " ").strip().splitlines()
    return [line.removeprefix("$ ") for line in lines]


def strings(code: str) -> Iterator[str]:
    """The texts of a module; what is filled in later is NAME."""
    for node in ast.walk(ast.parse(code)):
        match node:
            case ast.JoinedStr(values=parts):
                said = (part.value if isinstance(part, ast.Constant) else "NAME" for part in parts)
                yield "".join(said)
            case ast.Constant(value=str(text)):
                yield text


def mentions(text: str) -> Iterator[str]:
    for span in SPAN.findall(text):
        command = " ".join(span.split())
        if "..." not in command:
            yield from forms(command)


SHELL = [block for block in blocks() if block.info == "console"]


@pytest.mark.parametrize("block", SHELL, ids=lambda block: block.place)
def test_the_commands_of_a_block_exist(block):
    found = {command: wrong_with(command) for command in commands_of(block)}
    assert found
    assert {command: wrong for command, wrong in found.items() if wrong} == {}


def faults(texts: dict[str, list[str]]) -> tuple[int, list[str]]:
    """How many commands are mentioned, and what is wrong with some."""
    named = [(place, each) for place, parts in texts.items() for t in parts for each in mentions(t)]
    checked = [(place, each, wrong_with(each, mentioned=True)) for place, each in named]
    return len(named), [f"{place}: {each}: {wrong}" for place, each, wrong in checked if wrong]


def test_commands_within_sentences_of_pages_and_notebooks_exist():
    texts = {page: [text] for page, text in pages().items()}
    for path in (TOP / "notebooks").glob("*.ipynb"):
        cells = json.loads(path.read_text("utf-8"))["cells"]
        texts[path.name] = ["".join(cell["source"]) for cell in cells if "outputs" not in cell]
    count, wrong = faults(texts)
    assert wrong == []
    assert count > 150


def test_commands_that_messages_and_docstrings_name_exist():
    files = {str(file.relative_to(TOP)): file for file in (TOP / "tradenb").rglob("*.py")}
    codes = {name: file.read_text("utf-8") for name, file in files.items()}
    texts = {name: [*strings(code)] for name, code in codes.items() if "`tradenb" in code}
    count, wrong = faults(texts)
    assert wrong == []
    assert count > 60


@pytest.mark.parametrize(
    ("command", "wrong"),
    [
        ("tradenb stauts", "invalid choice: 'stauts'"),
        ("tradenb status --jsn", "unrecognized arguments: --jsn"),
        ("tradenb arm NAME --max-oder 5", "--max-oder"),
        ("tradenb guard --every soon", "--every"),
        ("python bot.py --dryrun", "unrecognized arguments: --dryrun"),
        ("make tset", "tset"),
        (".venv/bin/pip install -e '.[dve]'", "dve"),
        ("trade status", "nothing here knows it"),
    ],
)
def test_a_command_that_does_not_exist_is_found(command, wrong):
    assert wrong in wrong_with(command, mentioned=True)


def test_a_command_of_a_block_needs_all_that_it_always_needs():
    assert "--max-order" in wrong_with("tradenb arm NAME")
    assert wrong_with("tradenb arm NAME", mentioned=True) == ""
