"""Sweeps in real processes, as a script: `python cluster.py CASE FOLDER`.

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
from contextlib import contextmanager
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
    if os.environ.get("DEADLY") and (fast, slow, odd) == HOLD and multiprocessing.parent_process():
        os.kill(os.getpid(), signal.SIGKILL)
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


def dask_of_one(folder):
    """The worker that is killed holds the only copy of the candles."""
    dask(folder, workers=1)


def deadly(folder):
    """A trial kills its worker each time, and then there is none."""
    os.environ["DEADLY"] = "1"
    from distributed import Client

    with started(folder, 1) as (cluster, client):
        with pytest.raises(tn.StateError, match="trials were lost 4 times with the workers"):
            sweep(folder / "kept", client)
        assert 0 < len(lines(folder / "kept")) < COMBINATIONS
        cluster.scale(0)
        while client.scheduler_info()["workers"]:
            time.sleep(0.02)
        with (
            Client(cluster, timeout="5s", set_as_default=False) as hasty,
            pytest.raises(tn.StateError, match=r"took no candles .*No valid workers found"),
        ):
            sweep(folder / "kept", hasty)
    with pytest.raises(tn.StateError, match=r"took no candles .*see that its scheduler and a work"):
        sweep(folder / "kept", client)
    pd.testing.assert_frame_equal(sweep(folder / "kept"), sweep(folder / "here"), check_exact=True)
    sys.stdout.write("the same\n")


def dask(folder, workers=2):
    expected = sweep(folder / "here")
    os.environ["HELD_UNTIL"] = str(folder / "flag")
    kill_the_holder(folder / "flag")
    with started(folder, workers) as (_, client):
        found = sweep(folder / "dask", client)
    assert (folder / "flag").exists()
    pd.testing.assert_frame_equal(found, expected, check_exact=True)
    assert len(lines(folder / "dask")) == COMBINATIONS
    sys.stdout.write("the same\n")


@contextmanager
def started(folder, workers):
    from distributed import Client, LocalCluster

    with (
        LocalCluster(
            n_workers=workers,
            threads_per_worker=1,
            processes=True,
            host="127.0.0.1",
            dashboard_address=None,
            local_directory=str(folder),
        ) as cluster,
        Client(cluster, timeout="240s") as client,  # a worker that died may be long in coming back
    ):
        yield cluster, client


if __name__ == "__main__":
    cases = {"pools": pools, "dask": dask, "dask_of_one": dask_of_one, "deadly": deadly}
    cases[sys.argv[1]](Path(sys.argv[2]))
