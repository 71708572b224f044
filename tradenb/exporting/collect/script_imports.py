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
from tradenb.errors import ExportError
from tradenb.exporting.collect.script_namespace import Namespace, Script
from tradenb.exporting.collect.script_parts import Part

_MISSING: Final = object()


class Imports:
    """Adds imports to a script; `need` collects what a local module defines."""

    def __init__(self, script: Script, need: Callable[[str, Namespace, str], None]) -> None:
        self.script = script
        self._need = need

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


def _local(module: str, user: str) -> ExportError:
    return ExportError(
        f"{user} uses the module {module}, a file beside the notebook that the script cannot "
        "import. Import names from it, from "
        f"{module.rpartition('.')[0] or module} import NAME, and their "
        "definitions are copied into the script; or install the module"
    )
