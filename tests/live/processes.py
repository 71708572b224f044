"""Child processes for tests: bots under `tradenb run`, and rehearsals that may be killed."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.live.fast import until

REPOSITORY = Path(__file__).resolve().parents[2]

BOT = """
import time
import tradenb as tn
from tests.live.fast import rows

@tn.exchange("wall")
def wall(symbol, since, limit):
    return rows(since, limit, time.time_ns() // 1_000_000)

@tn.strategy("calm", every="1m", history="1h")
def calm(ctx):
    return None

RULES = tn.Rules(tick_ms=100, settle_seconds=0)

def main():
    for symbol in ("BTCUSDT",):
        tn.live.background(symbol, strategy=calm, exchange=wall, rules=RULES)

if __name__ == "__main__":
    main()
"""

REHEARSAL = """
import sys
import tradenb as tn
from tests.live.processes import rehearsed

run = tn.live.rehearse(**rehearsed())
run.wait()
run.raise_if_failed()
"""


def rehearsed(minutes: int = 260) -> dict[str, Any]:
    """What is rehearsed, and backtested: a wild market, a strategy that trades a lot."""
    import tradenb as tn
    from tests.sources import exchange, market

    @tn.strategy("busy", every="5m", risk=tn.risks.cooldown(minutes=10, after="stop_loss"))
    def busy(ctx):
        ctx.state["asks"] = ctx.state.get("asks", 0) + 1
        side = tn.long if ctx.state["asks"] % 2 else tn.short
        up = 1 if ctx.state["asks"] % 2 else -1
        price = ctx.price
        return side(
            entry=price * (1 - 0.001 * up) if ctx.state["asks"] % 3 else None,
            take_profit=price * (1 + 0.02 * up),
            stop_loss=price * (1 - 0.015 * up),
            minutes=45,
        )

    return {"symbol": "BTCUSDT", "strategy": busy, "exchange": exchange(market(5, minutes))} | {
        "speed": None
    }


class Child:
    """A process, its lines as they come, and its end."""

    def __init__(self, arguments: list[str], **environment: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, *arguments],
            cwd=REPOSITORY,
            env=os.environ | {"PYTHONPATH": str(REPOSITORY), "PYTHONUNBUFFERED": "1"} | environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.lines: list[str] = []
        self.errors: list[str] = []
        pairs = ((self.process.stdout, self.lines), (self.process.stderr, self.errors))
        self._readers = [threading.Thread(target=_read, args=pair, daemon=True) for pair in pairs]
        for reader in self._readers:
            reader.start()

    @property
    def pid(self) -> int:
        return self.process.pid

    def said(self, word: str) -> Any:
        """Wait for a line of JSON with a key, and return what it says."""

        def found() -> Any:
            if self.process.poll() is not None and not self._readers[0].is_alive():
                assert self._line(word), f"ended with {self.process.returncode}: {self.words}"
            return self._line(word)

        return until(found, f"a line with {word} of {self.words}")[word]

    def ended(self, seconds: float = 120) -> int:
        """Wait for the end and return the exit code."""
        code = self.process.wait(seconds)
        for reader in self._readers:
            reader.join(5)
        return code

    @property
    def words(self) -> str:
        return "".join([*self.lines, *self.errors])

    def _line(self, word: str) -> Any:
        for line in self.lines:
            with contextlib.suppress(ValueError):
                found = json.loads(line)
                if isinstance(found, dict) and word in found:
                    return found
        return None


def _read(stream: Any, lines: list[str]) -> None:
    with stream:
        for line in stream:
            lines.append(line)  # noqa: PERF402 - as they come, not at the end


@contextlib.contextmanager
def child(*arguments: str, **environment: str) -> Iterator[Child]:
    """A child process that does not outlive the test."""
    made = Child(list(arguments), **environment)
    try:
        yield made
    finally:
        made.process.kill()
        made.ended()


def bot(path: Path, text: str = BOT) -> str:
    """Write a bot file and return its name."""
    path.write_text(text)
    return str(path)
