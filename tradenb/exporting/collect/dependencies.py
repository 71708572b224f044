"""Which definitions a strategy needs, found from the objects that are in use.

From a strategy's name outwards: the statement that made it, the names which that statement and the
functions in it look up, and so on. Live objects decide which of several definitions counts: a
function is taken from the cell whose code it runs.
"""

from __future__ import annotations

import ast
from types import ModuleType
from typing import Any, Final

from tradenb.engine.notebook_cells import Statement
from tradenb.engine.reach import function_of
from tradenb.engine.specs.risk_spec import RiskSpec
from tradenb.engine.specs.strategy_spec import StrategySpec
from tradenb.errors import ExportError, shown
from tradenb.exchanges.ccxt.ccxt_source import CcxtExchange
from tradenb.exporting.collect.inner_functions import InnerFunction, inner_function, made_together
from tradenb.exporting.collect.made_by_calls import declared_on, is_made_of_data, registered
from tradenb.exporting.collect.plain_values import (
    described,
    is_data,
    is_plain,
    literal,
    without_numpy,
)
from tradenb.exporting.collect.script_imports import Imports
from tradenb.exporting.collect.script_namespace import (
    Namespace,
    Script,
    name_in,
    namespace_of,
    original,
)
from tradenb.exporting.collect.script_parts import Part
from tradenb.exporting.collect.statement_checks import (
    BLOCKS,
    MODULES_OWN,
    NOTEBOOK_ONLY,
    check_notebook,
    check_statement,
    code_of,
    is_builtin,
    is_shells,
    reads_environment,
    same_code,
    written,
)

_MISSING: Final = object()


class Collector:
    """Collects definitions into one namespace, that of the script.

    Objects that do not know where they were made are looked up in the namespace given.
    """

    def __init__(self, namespace: Namespace) -> None:
        self.script = Script()
        self._imports = Imports(self.script, self.need)
        self._default = namespace

    def root(self, value: Any, kind: str) -> str:
        """Collect an object that has no name yet, and return the name that the script gives it."""
        namespace = namespace_of(value) or self._default
        value = original(namespace, value)
        name = name_in(namespace, value)
        if name is not None:
            self.need(name, namespace, kind)
            return name
        if isinstance(value, CcxtExchange):
            return self.script.add_exchange(value, kind)
        function = function_of(value)
        if function is None:
            raise ExportError(
                f"{kind} {shown(value)} has no name in a cell; assign it at the top of a cell, "
                "NAME = ..., and use that name"
            )
        self._refuse_stale(value, function.__name__, namespace, kind)
        name = function.__name__
        self._add_inner(name, value)
        return name

    def need(self, name: str, namespace: Namespace, user: str, by: ast.AST | None = None) -> None:
        """Collect what a name stands for in a namespace; messages name its user.

        `by` is the definition that uses it: of a module beside the notebook it needs only a part.
        """
        value = namespace.get(name, _MISSING)
        if name in MODULES_OWN or is_shells(name, namespace):
            return
        if name in NOTEBOOK_ONLY:
            raise ExportError(f"{user} uses `{name}`, which exists in a notebook only; remove it")
        if value is _MISSING:
            if is_builtin(name) or self._imports.for_types(name, namespace):
                return
            raise ExportError(
                f"{user} uses `{name}`, which is not defined; run the cell that defines it, or "
                "write one"
            )
        if by is not None and self._imports.part_of_module(name, value, by, user):
            return
        if not self.script.is_new(name, value, user):
            return
        self._resolve(name, value, namespace, user)

    def _resolve(self, name: str, value: Any, namespace: Namespace, user: str) -> None:
        # The newest binding comes first, but it counts only if its code is what runs: a cell that
        # was edited and not run again is passed over.
        bindings = self.script.statements(namespace).binding(name)
        for index, statement in enumerate(bindings):
            if isinstance(statement.node, ast.Import | ast.ImportFrom):
                self._imports.add(name, value, bindings, namespace, user)
                return
            if same_code(name, statement.node, value):
                if is_made_of_data(statement, value, namespace):
                    self._add_inner(name, value)
                    return
                self._add_statement(name, value, bindings[index:], namespace)
                return
        if self._imports.starred(name, value, namespace):
            return
        if isinstance(value, ModuleType):
            self._imports.module(name, value, user)
        elif code_of(value) is not None:
            self._add_inner(name, value)
        else:
            raise ExportError(
                f"{user} uses `{name}` ({described(value)}), which no cell defines: it is left in "
                "the kernel from a cell that was deleted (hidden state). Write "
                f"{name} = ... in a cell, run it, and export again"
            )

    def _add_statement(
        self, name: str, value: Any, bindings: list[Statement], namespace: Namespace
    ) -> None:
        """Add the statement that made a value, or a line that writes the value."""
        statement = bindings[0]
        check_notebook(name, statement)
        line = written(name, statement, value)
        if line is not None:
            place = (self.script.rank(namespace), *statement.place)
            text = self._origin(statement, namespace) + line
            self.script.add(Part((name,), text, place, is_block=False), ())
            return
        check_statement(name, statement, namespace)
        if name in statement.uses and len(bindings) > 1 and not isinstance(statement.node, BLOCKS):
            self._add_earlier(name, bindings[1:], namespace)
        for other in statement.binds:
            self.script.found.values.setdefault(other, namespace.get(other))
        # What it uses is collected before the statement is added, so that every part comes after
        # those that it needs; functions that name each other end at `is_new`.
        uses = sorted(statement.uses - statement.binds)
        for used in uses:
            self._need_for(used, name, statement, namespace)
        rules = self._rules_by_name(value, statement, namespace)
        part = self._part(tuple(sorted(statement.binds)), statement, namespace)
        self.script.add(part, [*uses, name, *rules])
        self.script.found.secrets.update(reads_environment(statement.node))
        self.script.found.futures |= statement.cell.futures
        self._attached(name, value, namespace)

    def _need_for(self, used: str, name: str, statement: Statement, namespace: Namespace) -> None:
        """Collect a name that a statement uses; refuse research data with a message of its own."""
        if is_data(namespace.get(used)) and not isinstance(statement.node, BLOCKS):
            raise ExportError(
                f"`{name}` of {statement.cell.label} is made from `{used}`, "
                f"{described(namespace[used])}: research data, which is not written into a "
                "script. Compute the numbers that it needs first (LEVEL = float(...)) and "
                "pass those"
            )
        self.need(used, namespace, f"`{name}` of {statement.cell.label}", statement.node)

    def _add_earlier(self, name: str, bindings: list[Statement], namespace: Namespace) -> None:
        """Add the statement that made the first value of a name: `x = f(x)` needs it."""
        statement = bindings[0]
        check_statement(name, statement, namespace)
        for used in sorted(statement.uses - statement.binds):
            self.need(used, namespace, f"`{name}` of {statement.cell.label}")
        part = self._part((name,), statement, namespace)
        self.script.add(part, statement.uses - statement.binds)

    def _part(self, names: tuple[str, ...], statement: Statement, namespace: Namespace) -> Part:
        place = (self.script.rank(namespace), *statement.place)
        text = self._origin(statement, namespace) + statement.text
        return Part(names, text, place, isinstance(statement.node, BLOCKS))

    def _origin(self, statement: Statement, namespace: Namespace) -> str:
        """Say from which module a definition was copied."""
        return "" if namespace is self._default else f"# from {statement.cell.label}\n"

    def _rules_by_name(self, value: Any, statement: Statement, namespace: Namespace) -> list[str]:
        """Collect the risk rules that a strategy names by a string."""
        found: list[str] = []
        if not isinstance(value, StrategySpec):
            return found
        texts = {n.value for n in ast.walk(statement.node) if isinstance(n, ast.Constant)}
        for rule in value.risk:
            if rule.name not in texts or rule in self.script.found.values.values():
                continue
            name = name_in(namespace, rule)
            if name is not None:
                self.need(name, namespace, f"strategy {value.name!r}")
                found.append(name)
            else:
                found.append(self._bare_rule(rule, value, namespace))
        return found

    def _bare_rule(self, rule: RiskSpec, spec: StrategySpec, namespace: Namespace) -> str:
        """Collect a rule that a cell made without giving it a name in Python."""
        for statement in reversed(list(self.script.statements(namespace))):
            texts = {n.value for n in ast.walk(statement.node) if isinstance(n, ast.Constant)}
            if isinstance(statement.node, ast.Expr) and rule.name in texts:
                for used in sorted(statement.uses):
                    self.need(used, namespace, f"risk rule {rule.name!r}")
                key = f"risk rule {rule.name}"
                self.script.add(self._part((key,), statement, namespace), statement.uses)
                return key
        raise ExportError(
            f"strategy {spec.name!r} names the risk rule {rule.name!r}, and no cell makes it under "
            "a name; write limit = tn.risks... in a cell and give risk=limit"
        )

    def _attached(self, name: str, value: Any, namespace: Namespace) -> None:
        """Collect what is declared on a strategy or a function after it: `@dip.indicators("15m")`.

        Of `functools.singledispatch` these are the functions for other types.
        """
        self._add_registered(name, value, namespace)
        for what, function in declared_on(value):
            own = name_in(namespace, function)
            if own is not None:
                self.need(own, namespace, f"`{name}`")
            elif not made_together(value, function):
                raise ExportError(
                    f"the {what} of `{name}` has no name in a cell; run its cell again"
                )

    def _add_registered(self, name: str, value: Any, namespace: Namespace) -> None:
        """Add the functions that `@name.register` registers, in their order."""
        statements = self.script.statements(namespace)
        for count, statement in enumerate(registered(name, value, statements)):
            check_statement(name, statement, namespace)
            used = sorted(statement.uses - statement.binds - {name})
            for other in used:
                self._need_for(other, name, statement, namespace)
            part = self._part((f"{name}.register {count}",), statement, namespace)
            self.script.add(part, [*used, name])

    def _add_inner(self, name: str, value: Any, beside: str = "") -> None:
        """Add a function that another one made, and what it closes over."""
        inner = inner_function(name, value)
        self.script.found.freed.add(name)
        if inner.name != name:
            if self.script.is_new(inner.name, value, f"`{name}`"):
                self._add_inner(inner.name, value)
            line = f"{name} = {inner.name}"
            self.script.add(Part((name,), line, inner.place, is_block=False), [inner.name])
            return
        # The script has one namespace: a value closed over becomes a global of its name, and two
        # functions that close over different values under one name are refused by `is_new`.
        self.script.found.values.setdefault(name, value)
        for used in sorted(inner.uses - {name, beside}):
            if used in inner.closed:
                self._close_over(used, inner.closed[used], inner, name)
            elif used not in inner.namespace and not is_builtin(used):
                raise ExportError(
                    f"`{name}` is defined inside another function and uses its `{used}`; define it "
                    "at the top of a cell, or assign it there: "
                    f"{name} = {inner.maker}(...)"
                )
            else:
                self.need(used, inner.namespace, f"`{name}`", ast.parse(inner.text))
        self.script.add(Part((name,), inner.text, inner.place, is_block=True), inner.uses)
        for _, function in declared_on(value):
            if self.script.is_new(function.__name__, function, f"`{name}`"):
                self._add_inner(function.__name__, function, beside=name)

    def _close_over(self, used: str, value: Any, inner: InnerFunction, name: str) -> None:
        """Write down a value that a function closes over."""
        value = without_numpy(value)
        if isinstance(value, ModuleType):
            self._imports.module(used, value, f"`{name}`")
        elif not is_plain(value) and code_of(value) is None:
            raise ExportError(
                f"`{name}` closes over `{used}`, {described(value)}; a script can hold plain "
                "values, functions and imports only. Compute the numbers that it needs first"
            )
        elif self.script.is_new(used, value, f"`{name}`"):
            if is_plain(value):
                line = f"{used} = {literal(value)}"
                self.script.add(Part((used,), line, inner.place, is_block=False), ())
            else:
                self._add_inner(used, value)

    def _refuse_stale(self, value: Any, name: str, namespace: Namespace, kind: str) -> None:
        now = namespace.get(name)
        if isinstance(value, StrategySpec) and isinstance(now, StrategySpec) and now is not value:
            raise ExportError(
                f"{kind} {value.name!r} was defined again after its run started: the cell shows "
                f"another one than runs. Pass the new one, tn.export(path, {name}, symbol=..., "
                "exchange=...), or start the run again with it"
            )
