"""Sweeps in real processes, as a script: `python cluster.py pools|dask FOLDER`.

What is defined here belongs to `__main__`, as in a notebook, and has to travel by value.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import pandas as pd
import pytest

import tradenb as tn

GRID = {"fast": [3, 5, 8, 13], "slow": [20, 50], "odd": [0, 1]}
COMBINATIONS = 16
WALK = tn.testing.random_walk(seed=3, days=12)
HOLD = (13, 50, 1)


def crossing(fast, slow, odd):
    flag = os.environ.get("HELD_UNTIL")
    if flag and (fast, slow, odd) == HOLD and multiprocessing.parent_process() is not None:
        Path(flag).with_suffix(".pid").write_text(str(os.getpid()))
        while not Path(flag).exists():
            time.sleep(0.02)

    @tn.strategy("crossing", every="15m", vectorised=bool(odd))
    def made(seen):
        return columns(seen, fast, slow) if odd else asked(seen)

    if not odd:
        made.indicators("15m")(lambda df: columns(df, fast, slow))
    return made


def columns(df, fast, slow):
    up = df.close.rolling(fast).mean() > df.close.rolling(slow).mean()
    price = df.close
    sides = {"take_profit": 1.02 * price, "stop_loss": 0.98 * price, "minutes": 600 + 0 * price}
    return {"position": up.astype(float), **sides}


def asked(ctx):
    seen = ctx.indicators
    if not seen["position"]:
        return None
    return tn.long(take_profit=seen["take_profit"], stop_loss=seen["stop_loss"], minutes=600)


def sweep(home, executor=None, **more):
    return tn.sweep(
        crossing,
        grid=GRID,
        symbols="BTCUSDT",
        exchange=WALK,
        executor=executor,
        home=home,
        progress=False,
        **more,
    )


def lines(home):
    return [line for file in home.glob("research/*.jsonl") for line in file.open() if line.strip()]


def kill_the_holder(flag):
    """Kill the process that holds a combination, then let the next one finish."""

    def wait():
        while not flag.with_suffix(".pid").exists() or not flag.with_suffix(".pid").read_text():
            time.sleep(0.02)
        os.kill(int(flag.with_suffix(".pid").read_text()), signal.SIGKILL)
        flag.touch()

    thread = threading.Thread(target=wait, daemon=True)
    thread.start()


def pools(folder):
    expected = sweep(folder / "here")
    assert expected["count"].min() > 5
    assert expected["error"].isna().all()
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(2, mp_context=spawn) as pool:
        pd.testing.assert_frame_equal(sweep(folder / "two", pool), expected, check_exact=True)
    home = folder / "killed"
    os.environ["HELD_UNTIL"] = str(folder / "flag")
    kill_the_holder(folder / "flag")
    with (
        pytest.raises(tn.StateError, match="a worker process died"),
        ProcessPoolExecutor(2, mp_context=spawn) as pool,
    ):
        sweep(home, pool)
    finished = len(lines(home))
    assert 0 < finished < COMBINATIONS, finished
    with ProcessPoolExecutor(1, mp_context=spawn) as pool:
        pd.testing.assert_frame_equal(sweep(home, pool), expected, check_exact=True)
    assert len(lines(home)) == COMBINATIONS
    sys.stdout.write("the same\n")


def dask(folder):
    from distributed import Client, LocalCluster

    expected = sweep(folder / "here")
    os.environ["HELD_UNTIL"] = str(folder / "flag")
    kill_the_holder(folder / "flag")
    with (
        LocalCluster(
            n_workers=2,
            threads_per_worker=1,
            processes=True,
            host="127.0.0.1",
            dashboard_address=None,
            local_directory=str(folder),
        ) as cluster,
        Client(cluster) as client,
    ):
        found = sweep(folder / "dask", client)
    assert (folder / "flag").exists()
    pd.testing.assert_frame_equal(found, expected, check_exact=True)
    assert len(lines(folder / "dask")) == COMBINATIONS
    sys.stdout.write("the same\n")


if __name__ == "__main__":
    {"pools": pools, "dask": dask}[sys.argv[1]](Path(sys.argv[2]))
