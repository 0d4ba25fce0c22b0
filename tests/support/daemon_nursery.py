"""A process that has loaded the daemon's code and forks a daemon for each line it reads.

Run as `daemon_nursery.py SITE`; it prints the daemon's process id, and its exit code when it has
ended. Loading the code takes longer than a campaign's daemon lives.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from oem_daemon.daemon import run_daemon
from oem_daemon.site import Site
from oem_exec.ccxt_venue.loader import load_exchange_class


def main(site: Site) -> None:
    load_exchange_class("binance")
    for _ in sys.stdin:
        pid = os.fork()
        if pid == 0:
            code = 70
            try:
                code = run_daemon(site)
            except BaseException as error:
                sys.stderr.write(f"{error}\n")
            finally:
                sys.stderr.flush()
                os._exit(code)
        print(pid, flush=True)
        print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)


if __name__ == "__main__":
    main(Site(Path(sys.argv[1])))
