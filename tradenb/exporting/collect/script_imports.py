"""Imports of a script: kept if the module is installed; else what they name is copied in."""

from __future__ import annotations

import ast
import sys
from collections.abc import Callable
from importlib.util import resolve_name
from types import ModuleType
from typing import Any, Final

from tradenb.engine.notebook_cells import Statement
from tradenb.engine.reach import is_installed
from tradenb.engine.slices import dotted
from tradenb.errors import ExportError
from tradenb.exporting.collect.script_namespace import Namespace, Script
from tradenb.exporting.collect.script_parts import Part

_MISSING: Final = object()


class Imports:
    """Adds imports to a script; `need` collects what a local module defines."""

    def __init__(self, script: Script, need: Callable[[str, Namespace, str], None]) -> None:
        self.script = script
        self._need = need
        self._parts: dict[str, set[str]] = {}

    def add(
        self, name: str, value: Any, bindings: list[Statement], namespace: Namespace, user: str
    ) -> None:
        """Add an import, or what a local module defines."""
        for statement in bindings:
            node = statement.node
            aliases = node.names if isinstance(node, ast.Import | ast.ImportFrom) else []
            for alias in aliases:
                if name != (alias.asname or alias.name.partition(".")[0]):
                    continue
                if isinstance(node, ast.ImportFrom):
                    self._add_from(node, alias, value, namespace, user)
                    return
                if not is_installed(alias.name):
                    raise _local(alias.name, user)
                renamed = f" as {alias.asname}" if alias.asname else ""
                self.script.found.imports.add(f"import {alias.name}{renamed}")
                if alias.asname:
                    return

    def _add_from(
        self, node: ast.ImportFrom, alias: ast.alias, value: Any, namespace: Namespace, user: str
    ) -> None:
        package = str(namespace.get("__package__") or "")
        module = resolve_name("." * node.level + (node.module or ""), package)
        if module == "__future__":
            return
        if is_installed(module):
            renamed = f" as {alias.asname}" if alias.asname else ""
            self.script.found.imports.add(f"from {module} import {alias.name}{renamed}")
            return
        if isinstance(value, ModuleType) and is_installed(value.__name__):
            self.module(alias.asname or alias.name, value, user)
            return
        inner = vars(sys.modules[module]) if module in sys.modules else {}
        if isinstance(value, ModuleType) or inner.get(alias.name, _MISSING) is not value:
            raise _local(f"{module}.{alias.name}", user)
        name = alias.asname or alias.name
        if name == alias.name:
            del self.script.found.values[name]
            self._need(name, inner, user)
            return
        self._need(alias.name, inner, user)
        line = f"{name} = {alias.name}"
        part = Part((name,), line, (self.script.rank(inner), 1 << 30, 0), is_block=False)
        self.script.add(part, [alias.name])

    def for_types(self, name: str, namespace: Namespace) -> bool:
        """Add an import that stands below `if TYPE_CHECKING`; tell whether there is one."""
        for statement in self.script.statements(namespace).binding(name):
            node = statement.node
            if not isinstance(node, ast.If) or not dotted(node.test).endswith("TYPE_CHECKING"):
                continue
            for item in node.body:
                if not isinstance(item, ast.Import | ast.ImportFrom):
                    continue
                for alias in item.names:
                    if name == (alias.asname or alias.name.partition(".")[0]):
                        self.script.found.typing.add(ast.unparse(_only(item, alias)))
                        return True
        return False

    def part_of_module(self, name: str, value: Any, by: ast.AST, user: str) -> bool:
        """Copy what a definition uses of a module beside the notebook: `mylib.mean(...)`.

        The module becomes a namespace of what was copied. Returns False where it is another value,
        or more of it is used than attributes that can be read from the text.
        """
        if not isinstance(value, ModuleType) or is_installed(value.__name__):
            return False
        used, found = _attributes(by, name), vars(value)
        if not used or any(isinstance(found.get(own), ModuleType | None) for own in used):
            return False
        self.script.is_new(name, value, user)
        known = self._parts.setdefault(name, set())
        for own in sorted(used - known):
            self._need(own, found, user)
        known |= used
        self.script.found.imports.add("from types import SimpleNamespace")
        given = ", ".join(f"{own}={own}" for own in sorted(known))
        line = f"{name} = SimpleNamespace({given})"
        place = (self.script.rank(found), 1 << 30, 0)
        self.script.put(Part((name,), line, place, is_block=False), known)
        return True

    def starred(self, name: str, value: Any, namespace: Namespace) -> bool:
        """Find a name that came with `from module import *`."""
        for statement in self.script.statements(namespace):
            node = statement.node
            if not isinstance(node, ast.ImportFrom) or node.names[0].name != "*":
                continue
            module = sys.modules.get(node.module or "")
            if getattr(module, name, _MISSING) is value:
                self._add_from(node, ast.alias(name), value, namespace, f"`{name}`")
                return True
        return False

    def module(self, name: str, value: ModuleType, user: str) -> None:
        """Import a module under a name."""
        if not is_installed(value.__name__):
            raise _local(value.__name__, user)
        renamed = "" if value.__name__ == name else f" as {name}"
        self.script.found.imports.add(f"import {value.__name__}{renamed}")


def _attributes(by: ast.AST, name: str) -> set[str]:
    """Return the attributes that are used of a name; none if it is used in any other way."""
    items = list(ast.walk(by))
    owned = [
        item for item in items if isinstance(item, ast.Attribute) and dotted(item.value) == name
    ]
    named = [item for item in items if isinstance(item, ast.Name) and item.id == name]
    return {item.attr for item in owned} if len(owned) == len(named) else set()


def _only(node: ast.Import | ast.ImportFrom, alias: ast.alias) -> ast.stmt:
    """Return an import with one of its names."""
    if isinstance(node, ast.Import):
        return ast.Import([alias])
    return ast.ImportFrom(node.module, [alias], node.level)


def _local(module: str, user: str) -> ExportError:
    return ExportError(
        f"{user} uses the module {module}, a file beside the notebook that the script cannot "
        "import. Import names from it, from "
        f"{module.rpartition('.')[0] or module} import NAME, and their "
        "definitions are copied into the script; or install the module"
    )
