"""Where partitions are worked on: this process, several, or a Dask cluster; the same bytes."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from concurrent.futures import Executor
from contextlib import contextmanager
from typing import Any

_PER_WORKER = 4  # parts of unequal size are spread better in more, smaller ones


def add_workers(parser: argparse.ArgumentParser) -> None:
    """Add `--workers` and `--dask`."""
    where = parser.add_mutually_exclusive_group()
    where.add_argument(
        "--workers", type=int, default=1, metavar="N", help="processes to use (default: 1)"
    )
    where.add_argument(
        "--dask", metavar="ADDRESS",
        help="scheduler of a Dask cluster, such as tcp://10.0.0.5:8786 (needs oem-tco[dask])",
    )  # fmt: skip


@contextmanager
def executor_of(args: argparse.Namespace) -> Iterator[tuple[Executor | None, int]]:
    """Yield the executor that was asked for, None for this process, and in how many parts to cut.

    Raises:
        InputError: The number of workers is below 1, or the cluster does not answer.
    """
    import oem_tco

    if args.dask is not None:
        with _dask(args.dask) as found:
            yield found
        return
    if args.workers < 1:
        raise oem_tco.InputError(
            f"{args.workers} workers", where="--workers", remedy="give at least 1"
        )
    if args.workers == 1:
        yield None, 1
        return
    from concurrent.futures import ProcessPoolExecutor
    from multiprocessing import get_context

    with ProcessPoolExecutor(args.workers, mp_context=get_context("forkserver")) as pool:
        yield pool, _PER_WORKER * args.workers


@contextmanager
def _dask(address: str) -> Iterator[tuple[Executor, int]]:
    import oem_tco

    try:
        from distributed import Client
    except ImportError:
        raise oem_tco.InputError(
            "Dask is not installed",
            where="--dask",
            remedy="install oem-tco[dask], or use --workers",
        ) from None
    connect: Any = Client
    try:
        client = connect(address, timeout="10s", set_as_default=False)
    except (OSError, ValueError, TypeError) as error:
        why = str(error).partition("\n")[0] or type(error).__name__
        raise oem_tco.InputError(
            f"no Dask scheduler answers there: {why}",
            where=f"--dask {address}",
            remedy="start the cluster, or correct the address",
        ) from None
    with client:
        workers = len(client.scheduler_info(n_workers=-1)["workers"])
        if not workers:
            raise oem_tco.InputError(
                "the cluster has no worker", where=f"--dask {address}", remedy="start one"
            )
        yield client.get_executor(), _PER_WORKER * workers
