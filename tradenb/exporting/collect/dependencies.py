"""Which definitions a strategy needs, found from the objects that are in use.

From a strategy's name outwards: the statement that made it, the names which that statement and the
functions in it look up, and so on. Live objects decide which of several definitions counts: a
function is taken from the cell whose code it runs.
"""

from __future__ import annotations

import ast
from types import ModuleType
from typing import Any, Final

from tradenb.engine.reach import function_of
from tradenb.engine.specs.strategy_spec import RiskSpec, StrategySpec
from tradenb.errors import ExportError
from tradenb.exchanges.ccxt.ccxt_source import CcxtExchange
from tradenb.exporting.collect.inner_functions import Piece, lifted, made_together
from tradenb.exporting.collect.notebook_cells import Statement
from tradenb.exporting.collect.plain_values import described, is_data, is_plain, literal
from tradenb.exporting.collect.script_imports import Imports
from tradenb.exporting.collect.script_namespace import Script, Space, name_in, original, space_of
from tradenb.exporting.collect.script_parts import Part
from tradenb.exporting.collect.statement_checks import (
    BLOCKS,
    MODULES_OWN,
    NOTEBOOK_ONLY,
    check_notebook,
    check_statement,
    code_of,
    is_builtin,
    reads_environment,
    same_code,
    written,
)

_MISSING: Final = object()


class Collector:
    """Collects definitions into one namespace, that of the script.

    Attributes
    ----------
    script : Script

    Parameters
    ----------
    space : mapping
        Where names are looked up for objects that do not know where they were made.
    """

    def __init__(self, space: Space) -> None:
        self.script = Script()
        self._imports = Imports(self.script, self.need)
        self._default = space

    def root(self, value: Any, kind: str) -> str:
        """Collect an object that has no name yet, and return the name that the script gives it.

        Raises
        ------
        ExportError
            When no name of a cell leads to it, or what it needs cannot be written.
        """
        space = self._space_of(value)
        value = original(space, value)
        name = name_in(space, value)
        if name is not None:
            self.need(name, space, kind)
            return name
        if isinstance(value, CcxtExchange):
            return self._connection(value, kind)
        function = function_of(value)
        if function is None:
            raise ExportError(
                f"{kind} {value!r:.80} has no name in a cell; write it as NAME = ... at the top of "
                "one, and use that name"
            )
        self._refuse_stale(value, function.__name__, space, kind)
        name = function.__name__
        self._lift(name, value)
        return name

    def _connection(self, exchange: CcxtExchange, kind: str) -> str:
        """Write down an exchange of ccxt that has no name of its own; secrets are references."""
        name, cache, home, options = exchange.made_of
        if not is_plain(options):
            raise ExportError(
                f"{kind} {name!r} has options that are no plain values; leave them out"
            )
        settings = dict(options) | ({} if cache else {"cache": False})
        settings |= {} if home is None else {"home": str(home)}
        given = "".join(f", {key}={literal(item)}" for key, item in settings.items())
        line = f"exchange = tn.ccxt_exchange({literal(name)}{given})"
        self.script.is_new("exchange", exchange, kind)
        self.script.found.imports.add("import tradenb as tn")
        self.script.found.secrets.update(reads_environment(ast.parse(line)))
        self.script.add(Part(("exchange",), line, (1, 0, 0), is_block=False), ())
        return "exchange"

    def need(self, name: str, space: Space, user: str) -> None:
        """Collect what a name stands for.

        Parameters
        ----------
        name : str
        space : mapping
            The namespace in which it is looked up.
        user : str
            Who looks it up, for messages.
        """
        value = space.get(name, _MISSING)
        if name in MODULES_OWN:
            return
        if name in NOTEBOOK_ONLY:
            raise ExportError(f"{user} uses `{name}`, which only a notebook has; leave it out")
        if value is _MISSING:
            if is_builtin(name):
                return
            raise ExportError(
                f"{user} uses `{name}`, which is not defined; run the cell that defines it, or "
                "write one"
            )
        if not self.script.is_new(name, value, user):
            return
        self._resolve(name, value, space, user)

    def _resolve(self, name: str, value: Any, space: Space, user: str) -> None:
        bindings = self.script.book(space).binding(name)
        for index, statement in enumerate(bindings):
            if isinstance(statement.node, ast.Import | ast.ImportFrom):
                self._imports.take(name, value, bindings, space, user)
                return
            if same_code(name, statement.node, value):
                self._take(name, value, bindings[index:], space)
                return
        if self._imports.starred(name, value, space):
            return
        if isinstance(value, ModuleType):
            self._imports.module(name, value, user)
        elif code_of(value) is not None:
            self._lift(name, value)
        else:
            raise ExportError(
                f"{user} uses `{name}` ({described(value)}), which no cell defines: the kernel has "
                f"it from something that is gone (hidden state). Write {name} = ... in a cell, run "
                "it, and export again"
            )

    def _take(self, name: str, value: Any, bindings: list[Statement], space: Space) -> None:
        """Take over a statement, or the value that it made."""
        statement = bindings[0]
        check_notebook(name, statement)
        line = written(name, statement, value)
        place = (self.script.rank(space), *statement.place)
        if line is not None:
            self.script.add(Part((name,), line, place, is_block=False), ())
            return
        check_statement(name, statement, space)
        if name in statement.uses and len(bindings) > 1 and not isinstance(statement.node, BLOCKS):
            self._take_earlier(name, bindings[1:], space)
        for other in statement.binds:
            self.script.found.values.setdefault(other, space.get(other))
        uses = sorted(statement.uses - statement.binds)
        for used in uses:
            self._need_for(used, name, statement, space)
        names = tuple(sorted(statement.binds))
        rules = self._rules_by_name(value, statement, space)
        is_block = isinstance(statement.node, BLOCKS)
        self.script.add(Part(names, statement.text, place, is_block), [*uses, name, *rules])
        self.script.found.secrets.update(reads_environment(statement.node))
        self.script.found.futures |= statement.cell.futures
        self._attached(name, value, space)

    def _need_for(self, used: str, name: str, statement: Statement, space: Space) -> None:
        """Collect a name that a statement uses; data closed over have a message of their own."""
        if is_data(space.get(used)) and not isinstance(statement.node, BLOCKS):
            raise ExportError(
                f"`{name}` of {statement.cell.label} is made from `{used}`, "
                f"{described(space[used])}: research data, which a script does not have. Compute "
                "the numbers that it needs first (LEVEL = float(...)) and pass those"
            )
        self.need(used, space, f"`{name}` of {statement.cell.label}")

    def _take_earlier(self, name: str, bindings: list[Statement], space: Space) -> None:
        """Take the statement that made the value which the next one replaces."""
        statement = bindings[0]
        check_statement(name, statement, space)
        for used in sorted(statement.uses - statement.binds):
            self.need(used, space, f"`{name}` of {statement.cell.label}")
        place = (self.script.rank(space), *statement.place)
        is_block = isinstance(statement.node, BLOCKS)
        part = Part((name,), statement.text, place, is_block)
        self.script.add(part, sorted(statement.uses - statement.binds))

    def _rules_by_name(self, value: Any, statement: Statement, space: Space) -> list[str]:
        """Collect the risk rules that a strategy names by a string."""
        found: list[str] = []
        if not isinstance(value, StrategySpec):
            return found
        texts = {n.value for n in ast.walk(statement.node) if isinstance(n, ast.Constant)}
        for rule in value.risk:
            if rule.name not in texts or rule in self.script.found.values.values():
                continue
            name = name_in(space, rule)
            if name is not None:
                self.need(name, space, f"strategy {value.name!r}")
                found.append(name)
            else:
                found.append(self._bare_rule(rule, value, space))
        return found

    def _bare_rule(self, rule: RiskSpec, spec: StrategySpec, space: Space) -> str:
        """Collect a rule that a cell made without giving it a name in Python."""
        for statement in reversed(list(self.script.book(space))):
            texts = {n.value for n in ast.walk(statement.node) if isinstance(n, ast.Constant)}
            if isinstance(statement.node, ast.Expr) and rule.name in texts:
                for used in sorted(statement.uses):
                    self.need(used, space, f"risk rule {rule.name!r}")
                place = (self.script.rank(space), *statement.place)
                key = f"risk rule {rule.name}"
                self.script.add(Part((key,), statement.text, place, is_block=False), statement.uses)
                return key
        raise ExportError(
            f"strategy {spec.name!r} names the risk rule {rule.name!r}, and no cell makes it under "
            "a name; write limit = tn.risks... in a cell and give risk=limit"
        )

    def _attached(self, name: str, value: Any, space: Space) -> None:
        """Collect what is declared on a strategy after it: `@dip.indicators("15m")`."""
        declared = value.declared if isinstance(value, StrategySpec) else ()
        for item in declared:
            own = name_in(space, item.function)
            if own is not None:
                self.need(own, space, f"`{name}`")
            elif not made_together(value, item.function):
                raise ExportError(
                    f"indicators of `{name}` have no name in a cell any more; run their cell again"
                )

    def _lift(self, name: str, value: Any, beside: str = "") -> None:
        """Take a function out of the function that made it, with what it closes over."""
        piece = lifted(name, value)
        self.script.found.lifted.add(name)
        if piece.name != name:
            if self.script.is_new(piece.name, value, f"`{name}`"):
                self._lift(piece.name, value)
            line = f"{name} = {piece.name}"
            self.script.add(Part((name,), line, piece.place, is_block=False), [piece.name])
            return
        self.script.found.values.setdefault(name, value)
        for used in sorted(piece.uses - {name, beside}):
            if used in piece.closed:
                self._close_over(used, piece.closed[used], piece, name)
            elif used not in piece.space and not is_builtin(used):
                raise ExportError(
                    f"`{name}` is defined inside another function and uses its `{used}`; define it "
                    "at the top of a cell, or assign it there: "
                    f"{name} = {piece.maker}(...)"
                )
            else:
                self.need(used, piece.space, f"`{name}`")
        self.script.add(Part((name,), piece.text, piece.place, is_block=True), piece.uses)
        for item in value.declared if isinstance(value, StrategySpec) else ():
            if self.script.is_new(item.function.__name__, item.function, f"`{name}`"):
                self._lift(item.function.__name__, item.function, beside=name)

    def _close_over(self, used: str, inner: Any, piece: Piece, name: str) -> None:
        """Write down a value that a function closes over."""
        if isinstance(inner, ModuleType):
            self._imports.module(used, inner, f"`{name}`")
        elif not is_plain(inner) and code_of(inner) is None:
            raise ExportError(
                f"`{name}` closes over `{used}`, {described(inner)}; a script has only plain "
                "values, functions and imports. Compute the numbers that it needs first"
            )
        elif self.script.is_new(used, inner, f"`{name}`"):
            if is_plain(inner):
                line = f"{used} = {literal(inner)}"
                self.script.add(Part((used,), line, piece.place, is_block=False), ())
            else:
                self._lift(used, inner)

    def _refuse_stale(self, value: Any, name: str, space: Space, kind: str) -> None:
        now = space.get(name)
        if isinstance(value, StrategySpec) and isinstance(now, StrategySpec) and now is not value:
            raise ExportError(
                f"{kind} {value.name!r} was defined again since: what runs is not what the cell "
                f"shows now. Give tn.export the new one ({name}, symbol=..., exchange=...), or let "
                "the run start again with it"
            )

    def _space_of(self, value: Any) -> Space:
        return space_of(value) or self._default
