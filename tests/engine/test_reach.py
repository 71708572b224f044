"""What a function reaches, by name, and whether code is the user's own."""

from __future__ import annotations

import functools
import json
import sys
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np
import pytest

import tradenb as tn
from tradenb.engine import reach
from tradenb.engine.reach import all_reached, function_of, is_installed, is_users

GLOBAL = 1
OTHER = 2


def names(function: Any) -> set[str]:
    return {name for name, _ in all_reached(function)}


def global_reader(amount=3, *, factor=4):
    return GLOBAL + amount + factor


def test_globals_defaults_and_closures_are_reached_by_name():
    closed = 5

    def closing():
        return closed + GLOBAL

    assert dict(all_reached(global_reader)) == {"GLOBAL": 1, "amount": 3, "factor": 4}
    assert dict(all_reached(closing)) == {"GLOBAL": 1, "closed": 5}


@dataclass(slots=True)
class Slotted:
    value: Any

    def level(self):
        return OTHER * self.value


def wrapped_by(function):
    @functools.wraps(function)
    def wrapper():
        return function()

    return wrapper


@pytest.mark.parametrize(
    "holder",
    [
        functools.partial(global_reader, 1),
        functools.partial(max, key=global_reader),
        functools.cache(global_reader),
        wrapped_by(global_reader),
        staticmethod(global_reader),
        property(global_reader),
        [{"a": (global_reader,)}],
        Slotted(global_reader),
        Slotted([Slotted(global_reader)]).level,
        tn.strategy("of-reach", every="1m")(lambda ctx: global_reader()),
    ],
)
def test_the_functions_that_a_value_holds_are_followed(holder):
    assert "GLOBAL" in names(holder)


def test_of_a_class_its_methods_are_followed():
    for value in (Slotted, Slotted(1), Slotted(1).level):
        assert "OTHER" in names(value)


def module(name: str, source: str, **values: Any) -> ModuleType:
    made = ModuleType(name)
    vars(made).update(values)
    exec(source, vars(made))
    return made


def test_what_is_named_of_the_users_modules_is_reached_however_deep(monkeypatch):
    inner = module("package.inner", "LEVEL = 1\nUNUSED = 2")
    package = module("package", "FIRST = 3", inner=inner, json=json)
    inner.package = package  # type: ignore[attr-defined]

    def through_a_cell():
        return package.FIRST + package.inner.LEVEL + package.json.decoder  # type: ignore[attr-defined]

    assert names(through_a_cell) == {"package.FIRST", "package.inner.LEVEL", "package.json"}

    monkeypatch.setitem(sys.modules, "package", package)

    def importing():
        from package import FIRST  # type: ignore[import-not-found]

        return FIRST

    assert names(importing) == {"package.FIRST"}


def by_text(name):
    return globals()[name]


def test_a_text_is_a_name_only_where_names_are_looked_up_by_text():
    def column(frame):
        return frame["OTHER"]

    def looked_up():
        return by_text("OTHER")

    assert names(column) == set()
    assert {"OTHER", "by_text"} <= names(looked_up)


def test_functions_that_name_each_other_come_to_an_end():
    def one():
        return other()

    def other():
        return one(), held

    held: list[Any] = []
    held.append(held)
    assert names(one) == {"one", "other", "held"}


def test_a_cell_that_is_not_filled_is_left_out():
    def early():
        return later

    found = names(early)
    later = 1
    assert (found, names(early)) == (set(), {"later"})


def test_functions_of_large_packages_are_not_followed():
    def using():
        return tn.long, np.mean

    assert {name.partition(".")[0] for name in names(using)} == set()
    assert names(tn.long) == names(np.mean) == set()


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (global_reader, True),
        (Slotted, True),
        (module("cells", "x = 1"), True),
        (sys.modules[__name__], True),
        (np.ndarray, False),
        (np, False),
        (tn.long, False),
        (reach, False),
        (json.dumps, False),
        (json, False),
        (pytest.fixture, False),
        (sys, False),
        (int, False),
    ],
)
def test_what_the_user_wrote_is_the_users(value, expected):
    assert is_users(value) is expected


def test_an_isolated_python_finds_what_is_installed_and_nothing_beside_the_notebook(
    tmp_path, monkeypatch
):
    (tmp_path / "beside_it.py").write_text("x = 1")
    monkeypatch.syspath_prepend(str(tmp_path))
    found = [
        name
        for name in ("beside_it", "json", "pytest", "numpy.linalg", "__main__")
        if is_installed(name)
    ]
    assert found == ["json", "pytest", "numpy.linalg"]


def test_the_innermost_function_is_found_and_a_partial_is_not_its_function():
    spec = tn.strategy("of-innermost", every="1m")(wrapped_by(lambda ctx: None))
    assert function_of(spec).__name__ == "<lambda>"  # type: ignore[union-attr]
    assert function_of(wrapped_by(global_reader)) is global_reader
    assert function_of(Slotted(1).level) is Slotted.level
    for value in (functools.partial(global_reader), Slotted, len, 5, None):
        assert function_of(value) is None
