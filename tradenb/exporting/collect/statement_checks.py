"""What may be done with a statement that a script needs: keep it, write its value, or refuse it.

Refusals say which cell, what is wrong, and what to do instead.
"""

from __future__ import annotations

import ast
import builtins
import re
from collections.abc import Mapping
from types import CodeType
from typing import Any, Final

from tradenb.engine.notebook_cells import Statement
from tradenb.engine.reach import function_of
from tradenb.engine.specs.risk_spec import RiskSpec
from tradenb.engine.specs.strategy_spec import StrategySpec
from tradenb.errors import ExportError
from tradenb.exporting.collect.plain_values import (
    LARGEST,
    described,
    is_data,
    is_plain,
    literal,
    without_numpy,
)
from tradenb.secret_references import is_reference

NOTEBOOK_ONLY: Final = frozenset({"get_ipython", "display", "In", "Out", "_", "__", "___"})
MODULES_OWN: Final = frozenset({"__name__", "__file__", "__doc__", "__builtins__"})
BLOCKS: Final = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
_CHANGING: Final = frozenset(
    {"add", "append", "appendleft", "clear", "discard", "extend", "insert", "pop", "popitem"}
    | {"remove", "reverse", "setdefault", "sort", "update"}
)
_SECRET: Final = re.compile(
    r"(secret|passw(or)?d|passphrase|api_?key|private_?key|(^|_)token$|(^|_)pwd$|^twofa$)",
    re.IGNORECASE,
)
_SHORTEST_SECRET: Final = 6
_WIDEST_COMMENT: Final = 60


def check_statement(name: str, statement: Statement, namespace: Mapping[str, Any]) -> None:
    """Refuse a statement that cannot mean in a script what it means in the notebook."""
    where = statement.cell.label
    if "input" in statement.uses or "getpass" in statement.uses | _attributes(statement.node):
        raise ExportError(
            f"`{name}` of {where} waits for input, which a script does not get. Read it from the "
            f'environment: {name} = os.environ["{name.upper()}"]'
        )
    for changed in sorted(statement.rebinds - _own_of(namespace.get(name))):
        raise ExportError(_keeps(name, where, changed))
    for changed in sorted(_changed(statement.node) & statement.uses):
        if isinstance(namespace.get(changed), list | dict | set):
            raise ExportError(_keeps(name, where, changed))
    check_secrets(statement.node, where)


def _own_of(value: Any) -> frozenset[str]:
    """Return the locals of a strategy or a rule that functions inside it may change.

    They begin anew with each call.
    """
    function = function_of(value) if isinstance(value, StrategySpec | RiskSpec) else None
    if function is None or "<locals>" in function.__qualname__:
        return frozenset()
    return frozenset(function.__code__.co_cellvars)


def check_notebook(name: str, statement: Statement) -> None:
    """Refuse what only a notebook can do."""
    if NOTEBOOK_ONLY & statement.uses:
        used = ", ".join(sorted(NOTEBOOK_ONLY & statement.uses))
        raise ExportError(
            f"`{name}` of {statement.cell.label} needs a notebook ({used}: a magic, a shell line, "
            "or output); write it in plain Python"
        )


def check_secrets(node: ast.AST, where: str) -> None:
    """Refuse a secret that is written out; a script names it, and finds it in the environment."""
    for name, value in named_texts(node):
        if is_reference(value):
            continue
        if _SECRET.search(name) and len(value) >= _SHORTEST_SECRET:
            raise ExportError(
                f"`{name}` in {where} is a secret in plain text, and others can read the script. "
                f'Take it from the environment: os.environ["{name.upper()}"]'
            )


def written(name: str, statement: Statement, value: Any) -> str | None:
    """Return the line that writes a plain value, or None where the user's own text will do.

    Data, and a value that is not what its cell says, are refused.
    """
    where = statement.cell.label
    plain = without_numpy(value)
    if plain is not value:
        return _snapshot(name, statement, plain)
    if is_data(value) and _writes_out(statement.node) and len(value) <= LARGEST:
        return None
    if is_data(value):
        raise ExportError(
            f"`{name}` of {where} is {described(value)}: research data, which is not written into "
            "a script. Assign the numbers that the strategy needs to names of their own "
            "(LEVEL = float(df.close.mean())), or read candles through ctx"
        )
    if not is_plain(value):
        _check_binding(name, statement)
        return None
    node = _value_of(statement.node)
    if node is None or _is_computed(node) or statement.awaits:
        return _snapshot(name, statement, value)
    if len(statement.binds) > 1:
        return None
    try:
        before = ast.literal_eval(node)
    except ValueError:
        return None  # made of other names, which are in the script as well
    if literal(before) != literal(value):
        raise ExportError(
            f"`{name}` is {described(value)} now, and {described(before)} in {where}: something "
            f"changed it. Write {name} = ... as it should be in a cell and run it; keep what a "
            f'strategy remembers in ctx.state["{name}"]'
        )
    return None


def reads_environment(node: ast.AST) -> list[str]:
    """Return the names of the environment variables that an expression reads."""
    found = []
    for item in ast.walk(node):
        match item:
            case ast.Constant(value=str(text)) if text.startswith("env:"):
                found.append(text.removeprefix("env:"))
            case ast.Subscript(
                value=ast.Attribute(attr="environ") | ast.Name(id="environ"),
                slice=ast.Constant(value=str(name)),
            ):
                found.append(name)
            case ast.Call(func=called, args=[ast.Constant(value=str(name)), *_]) if (
                "environ" in ast.unparse(called) or ast.unparse(called).endswith("getenv")
            ):
                found.append(name)
    return found


def same_code(name: str, node: ast.stmt, value: object) -> bool:
    """Tell whether a definition is the one that is in use; what has no code passes."""
    code = code_of(value)
    if code is None or not isinstance(node, BLOCKS) or code.co_name == "<lambda>":
        return True
    if isinstance(node, ast.ClassDef):
        return isinstance(value, type) or code.co_qualname.startswith(f"{node.name}.")
    if code.co_name != node.name or node.name != name:
        return True  # a decorator made it
    return has_code(node, code)


def has_code(node: ast.stmt, code: CodeType) -> bool:
    """Tell whether a definition is compiled to a code."""
    made = compile(
        ast.Module([node], []), "cell", "exec", code.co_flags & 0x1FF0000, dont_inherit=True
    )
    return any(_alike(code, item) for item in made.co_consts if isinstance(item, CodeType))


def code_of(value: object) -> CodeType | None:
    """Return the code of the user's function in a value."""
    function = function_of(value)
    return None if function is None else function.__code__


def is_builtin(name: str) -> bool:
    """Tell whether Python itself knows a name."""
    return hasattr(builtins, name) or name in MODULES_OWN


def is_shells(name: str, namespace: Mapping[str, Any]) -> bool:
    """Tell whether a name is Python's own, in the place of which a notebook has one of its own."""
    file = getattr(getattr(namespace.get(name), "__code__", None), "co_filename", "")
    return hasattr(builtins, name) and any(shell in file for shell in ("IPython", "ipykernel"))


def _alike(one: CodeType, other: CodeType) -> bool:
    shape = ("co_code", "co_names", "co_varnames", "co_freevars", "co_argcount", "co_flags")
    if any(getattr(one, item) != getattr(other, item) for item in shape):
        return False
    if len(one.co_consts) != len(other.co_consts):
        return False
    return all(
        _alike(left, right)
        if isinstance(left, CodeType) and isinstance(right, CodeType)
        else type(left) is type(right) and repr(left) == repr(right)
        for left, right in zip(one.co_consts, other.co_consts, strict=True)
    )


def _value_of(node: ast.stmt) -> ast.expr | None:
    match node:
        case ast.Assign(value=value):
            return value
        case ast.AnnAssign(value=ast.expr() as value):
            return value
    return None


def _writes_out(node: ast.stmt) -> bool:
    """Tell whether an assignment makes a table of what is written there: pd.Series({"a": 24})."""
    value = _value_of(node)
    if not isinstance(value, ast.Call) or not isinstance(value.func, ast.Attribute | ast.Name):
        return False
    given = [*value.args, *(item.value for item in value.keywords)]
    try:
        for item in given:
            ast.literal_eval(item)
    except ValueError:
        return False
    return bool(given)


def _is_computed(node: ast.expr) -> bool:
    calls = (ast.Call, ast.Await, ast.NamedExpr, ast.ListComp, ast.SetComp, ast.DictComp)
    return any(isinstance(item, calls) for item in ast.walk(node)) and not reads_environment(node)


def _snapshot(name: str, statement: Statement, value: Any) -> str:
    if _SECRET.search(name) and isinstance(value, str):
        raise ExportError(
            f"`{name}` of {statement.cell.label} is a secret, and others can read the script. "
            f'Take it from the environment: {name} = os.environ["{name.upper()}"]'
        )
    node = _value_of(statement.node)
    words = "" if node is None else f": {ast.unparse(node)}"
    if len(words) > _WIDEST_COMMENT or "\n" in words:
        words = ""
    return f"# as it was in the notebook, {statement.cell.label}{words}\n{name} = {literal(value)}"


def _check_binding(name: str, statement: Statement) -> None:
    """Refuse what is neither plain nor made by one statement."""
    allowed = (ast.Assign, ast.AnnAssign, ast.If, ast.Try, *BLOCKS)
    where = statement.cell.label
    if statement.awaits:
        raise ExportError(
            f"`{name}` comes from an `await` in {where}, and a script has no event loop there; "
            "await it inside an async strategy, or assign the result as plain numbers"
        )
    if not isinstance(statement.node, allowed):
        raise ExportError(
            f"`{name}` is built in several steps in {where}; write one statement: {name} = ..."
        )


def _keeps(name: str, where: str, changed: str) -> str:
    return (
        f"`{name}` of {where} changes `{changed}`, which is outside it; a restart would lose it, "
        f'and a backtest would see what a live run left. Keep it in ctx.state["{changed}"], which '
        "is saved with the run"
    )


def _changed(node: ast.stmt) -> set[str]:
    """Return the names whose collections a function changes."""
    found = set()
    functions = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
    tops = [top for top in ast.walk(node) if isinstance(top, functions)]
    for item in (item for top in tops for item in ast.walk(top)):
        match item:
            case ast.Subscript(value=ast.Name(id=name), ctx=ast.Store() | ast.Del()):
                found.add(name)
            case ast.Call(func=ast.Attribute(value=ast.Name(id=name), attr=method)) if (
                method in _CHANGING
            ):
                found.add(name)
    return found


def _attributes(node: ast.AST) -> frozenset[str]:
    return frozenset(item.attr for item in ast.walk(node) if isinstance(item, ast.Attribute))


def named_texts(node: ast.AST) -> list[tuple[str, str]]:
    """Return the texts that are written under a name: assigned, as a keyword, in a dict."""
    found = []
    for item in ast.walk(node):
        match item:
            case ast.Assign(targets=[ast.Name(id=name)], value=ast.Constant(value=str(text))):
                found.append((name, text))
            case ast.keyword(arg=str(name), value=ast.Constant(value=str(text))):
                found.append((name, text))
            case ast.Dict(keys=keys, values=values):
                for key, value in zip(keys, values, strict=True):
                    match key, value:
                        case ast.Constant(value=str(name)), ast.Constant(value=str(text)):
                            found.append((name, text))
    return found
