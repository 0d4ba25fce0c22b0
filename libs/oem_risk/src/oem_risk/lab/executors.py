"""Where a lab's blocks are computed: here, in processes, or on a Dask cluster."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import ExitStack, contextmanager
from importlib.metadata import version
from multiprocessing import get_context

from oem_risk.errors import LabProblem

LOCAL = "local"
"""In place of a scheduler's address: a cluster on this machine, for as long as it is needed."""
_SAME = ("oem-risk", "numpy", "scipy")
_PATIENCE_S = 15


@contextmanager
def lab_executor(workers: int = 1, *, dask: str | None = None) -> Iterator[Executor | None]:
    """Open an executor for `run_lab`; the report does not depend on which.

    Args:
        workers: Processes; 1 is this one. On a cluster of someone else's it is not used.
        dask: Address of a Dask scheduler, such as `tcp://10.0.0.5:8786`, or `local`.

    Yields:
        The executor; None computes here.

    Raises:
        LabProblem: Fewer than one worker, no Dask, no scheduler at the address, or workers there
            whose versions would compute other bits.
    """
    if workers < 1:
        raise LabProblem(
            f"{workers} workers", where="--workers", remedy="give at least one process"
        )
    with ExitStack() as stack:
        if dask is not None:
            yield stack.enter_context(_on_dask(dask, workers))
        elif workers == 1:
            yield None
        else:
            # the terminal's interrupt reaches every process: the workers leave it to this one
            yield stack.enter_context(
                ProcessPoolExecutor(
                    workers, get_context("spawn"), signal.signal, (signal.SIGINT, signal.SIG_IGN)
                )
            )


@contextmanager
def _on_dask(address: str, workers: int) -> Iterator[Executor]:
    try:
        from distributed import Client, LocalCluster
    except ImportError:
        raise LabProblem(
            "Dask is not installed", where="--dask", remedy="install oem-risk[dask]"
        ) from None
    with ExitStack() as stack:
        if address == LOCAL:
            cluster = stack.enter_context(
                LocalCluster(
                    n_workers=workers, threads_per_worker=1, processes=True, host="127.0.0.1",
                    dashboard_address="127.0.0.1:0", preload=_PRELOAD,
                )  # type: ignore[no-untyped-call]
            )  # fmt: skip
            address = cluster.scheduler_address
        try:
            client = stack.enter_context(
                Client(address, timeout=_PATIENCE_S, set_as_default=False)  # type: ignore[no-untyped-call]
            )
        except (OSError, ValueError, TimeoutError) as error:
            raise LabProblem(
                f"no Dask scheduler answers: {error}",
                where=address,
                remedy="give its address, such as tcp://10.0.0.5:8786, or local",
            ) from None
        _require_same(client.run(worker_versions))
        yield stack.enter_context(client.get_executor(pure=False, retries=2))


# each worker is a process of its own, which the terminal's interrupt reaches too
_PRELOAD = ["import signal; signal.signal(signal.SIGINT, signal.SIG_IGN)"]


def worker_versions() -> dict[str, str]:
    """Return the versions on which the bits of a report depend."""
    return {name: version(name) for name in _SAME}


def _require_same(found: dict[str, dict[str, str]]) -> None:
    here = worker_versions()
    if not found:
        raise LabProblem(
            "the cluster has no worker", where="--dask", remedy="start at least one, then run again"
        )
    for worker, there in found.items():
        for name, own in here.items():
            if there[name] != own:
                raise LabProblem(
                    f"it has {name} {there[name]}, this process {own}: the report would have "
                    "other bits",
                    where=worker,
                    remedy="install the same versions on every worker",
                )
