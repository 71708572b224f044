"""`allow_nested()` does what it says, and only when called; each test in a process of its own."""

from __future__ import annotations

import subprocess
import sys
import textwrap

IN_A_RUNNING_LOOP = """
    import asyncio, sys
    from tradenb.nested import allow_nested

    async def answer():
        await asyncio.sleep(0)
        return 42

    async def cell():
        {cell}

    asyncio.run(cell())
"""


def run(source: str) -> str:
    """Run a script with warnings as errors; return the last line of what it said."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", textwrap.dedent(source)],
        capture_output=True,
        text=True,
        check=False,
    )
    lines = (done.stdout + done.stderr).strip().splitlines()
    return lines[-1] if lines else ""


def run_cell(*lines: str) -> str:
    return run(IN_A_RUNNING_LOOP.replace("{cell}", "\n        ".join(lines)))


def test_without_it_asyncio_run_is_refused_in_a_running_loop():
    said = run_cell(
        "job = answer()",
        "try: asyncio.run(job)",
        "except RuntimeError as error: print(error)",
        "finally: job.close()",
    )
    assert said == "asyncio.run() cannot be called from a running event loop"


def test_with_it_asyncio_run_works_in_a_running_loop():
    assert run_cell("allow_nested()", "print(asyncio.run(answer()))") == "42"


def test_calling_it_twice_changes_nothing_more():
    cell = ("allow_nested()", "allow_nested()", "print(asyncio.run(answer()))")
    assert run_cell(*cell) == "42"


def test_it_may_be_called_before_any_loop_runs():
    said = run("""
        import asyncio
        from tradenb.nested import allow_nested

        allow_nested()

        async def inner():
            return 42

        async def outer():
            return asyncio.run(inner())

        print(asyncio.run(outer()))
    """)
    assert said == "42"


def test_nest_asyncio_is_not_imported_until_it_is_called():
    said = run_cell(
        "before = 'nest_asyncio' in sys.modules",
        "allow_nested()",
        "print(before, 'nest_asyncio' in sys.modules)",
    )
    assert said == "False True"


def test_a_foreign_loop_is_refused_and_nothing_is_patched():
    said = run_cell(
        "class Foreign: pass",
        "before = asyncio.run",
        "asyncio.get_running_loop = Foreign",
        "try: allow_nested()",
        "except ValueError as error:",
        "    print(type(error).__name__, asyncio.run is before, 'was __main__.' in str(error))",
    )
    assert said == "UsageError True True"
