"""The one namespace of a script while it is collected, and the cells that its parts come from."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping
from typing import Any

from tradenb.brokers.broker import Broker
from tradenb.engine.notebook_cells import Statements
from tradenb.engine.reach import function_of, package_of
from tradenb.engine.specs.strategy_spec import StrategySpec
from tradenb.errors import ExportError
from tradenb.exchanges.ccxt.ccxt_source import CcxtExchange
from tradenb.exporting.collect.plain_values import described, is_plain, literal
from tradenb.exporting.collect.script_parts import Collection, Part
from tradenb.exporting.collect.statement_checks import reads_environment

Namespace = Mapping[str, Any]


class Script:
    """What was collected so far."""

    def __init__(self) -> None:
        self.found = Collection()
        self._indexes: dict[int, tuple[int, Statements]] = {}
        self._namespaces: list[Namespace] = []
        self._part_of: dict[str, int] = {}

    def is_new(self, name: str, value: Any, user: str) -> bool:
        """Note a name; tell whether it was not known, and refuse another value under it."""
        known = self.found.values
        if name not in known:
            known[name] = value
            return True
        same = known[name] is value or (
            is_plain(value) and is_plain(known[name]) and literal(value) == literal(known[name])
        )
        if not same:
            raise ExportError(
                f"{user} needs another `{name}` ({described(value)}) than the rest of the script "
                f"({described(known[name])}); a script has one namespace: rename one of them"
            )
        return False

    def add(self, part: Part, uses: Iterable[str]) -> None:
        """Add a part, which comes after those that define what it uses."""
        needs = {self._part_of[used] for used in uses if used in self._part_of}
        number = self.found.add(part, needs)
        self._part_of.update(dict.fromkeys(part.names, number))

    def put(self, part: Part, uses: Iterable[str]) -> None:
        """Add a part, or put it in the place of the one that defines the same name."""
        number = self._part_of.get(part.names[0])
        if number is None:
            self.add(part, uses)
        else:
            self.found.parts[number] = part
            self.found.needs[number] |= {self._part_of[used] for used in uses} - {number}

    def add_exchange(self, exchange: CcxtExchange, kind: str) -> str:
        """Add an exchange of ccxt that has no name in a cell; its secrets are references."""
        name, cache, home, options = exchange.made_of
        if not is_plain(options):
            raise ExportError(
                f"{kind} {name!r} has options that are not plain values; leave them out"
            )
        settings = dict(options) | ({} if cache else {"cache": False})
        settings |= {} if home is None else {"home": str(home)}
        given = "".join(f", {key}={literal(item)}" for key, item in settings.items())
        line = f"exchange = tn.ccxt_exchange({literal(name)}{given})"
        self.is_new("exchange", exchange, kind)
        self.found.imports.add("import tradenb as tn")
        self.found.secrets.update(reads_environment(ast.parse(line)))
        self.add(Part(("exchange",), line, (1, 0, 0), is_block=False), ())
        return "exchange"

    def add_broker(self, broker: Broker) -> str:
        """Add a broker as it was made; its secrets are references."""
        if not is_plain(broker.options):
            raise ExportError("broker has options that are not plain values; leave them out")
        account = broker.account.model_dump(exclude_defaults=True)
        inside = ", ".join(f"{name}={literal(item)}" for name, item in account.items())
        options = {name: item for name, item in broker.options.items() if name != "sandbox"}
        lines = [
            "broker = tn.broker(",
            f"    {literal(broker.exchange)},",
            f"    mode={literal(broker.mode)},",
            f"    account=tn.Account({inside}),",
            *(f"    {name}={literal(item)}," for name, item in options.items()),
            ")",
        ]
        text = "\n".join(lines)
        self.is_new("broker", broker, "the script")
        self.found.imports.add("import tradenb as tn")
        self.found.secrets.update(reads_environment(ast.parse(text)))
        self.add(Part(("broker",), text, (1, 0, 1), is_block=False), ())
        return "broker"

    def statements(self, namespace: Namespace) -> Statements:
        """Return the statements of a namespace."""
        if id(namespace) not in self._indexes:
            self._namespaces.append(namespace)  # kept, so that no other gets its id
            self._indexes[id(namespace)] = (len(self._indexes), Statements(namespace))
        return self._indexes[id(namespace)][1]

    def rank(self, namespace: Namespace) -> int:
        """Return where the definitions of a namespace stand: modules first, the notebook last."""
        self.statements(namespace)
        return -self._indexes[id(namespace)][0]


def namespace_of(value: Any) -> Namespace | None:
    """Return the namespace in which the user's function of a value was defined, if it has one."""
    function = function_of(value)
    if function is None or package_of(function) == "tradenb":
        return None
    return function.__globals__


def original(namespace: Namespace, value: Any) -> Any:
    """Return the strategy of a cell of which a run holds a copy."""
    if not isinstance(value, StrategySpec):
        return value
    specs = [item for item in list(namespace.values()) if isinstance(item, StrategySpec)]
    same = [item for item in specs if item.function is value.function]
    return next((item for item in same if item.fingerprint == value.fingerprint), value)


def name_in(namespace: Namespace, value: Any) -> str | None:
    """Return a name of a value in a namespace; the shortest, without those IPython makes."""
    found = [name for name, item in namespace.items() if item is value and not name.startswith("_")]
    return min(found, key=lambda name: (len(name), name), default=None)
