"""A whole site, made the way an operator makes one."""

from __future__ import annotations

import atexit
import functools
import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from oem_daemon.provision import (
    Vendor,
    init_site,
    issue_access,
    provision_license,
    sign_config,
    write_config,
)
from oem_daemon.site import Site


@dataclass(frozen=True)
class MadeSite:
    site: Site
    token: str

    @property
    def root(self) -> Path:
        return self.site.root


def make_site(
    folder: Path, *, bars: int = 80, days: int = 365, features: tuple[str, ...] = ("paper",)
) -> MadeSite:
    """Make a site and its vendor; a copy where this process has made the same before."""
    shutil.copytree(_made(bars, days, features), folder, dirs_exist_ok=True)
    site = Site(folder / "site")
    return MadeSite(site, (site.tokens / "alice.token").read_text().strip())


@functools.cache
def _made(bars: int, days: int, features: tuple[str, ...]) -> Path:
    folder = Path(tempfile.mkdtemp(prefix="oem-site-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    site = Site(folder / "site")
    init_site(site)
    vendor = Vendor(folder / "vendor")
    provision_license(site, vendor, features=features, approved_by="tester", days=days)
    issue_access(site, operator="alice", roles=("operator",))
    write_config(site, data=None, bars=bars, seed=7)
    sign_config(site)
    return folder


def edit_config(site: Site, old: str, new: str, *, sign: bool = True) -> None:
    text = site.config.read_text()
    assert old in text
    site.config.write_text(text.replace(old, new))
    if sign:
        sign_config(site)


def descriptor_of(path: Path) -> int:
    """Return the descriptor under which this process has a file open."""
    for link in Path("/proc/self/fd").iterdir():
        if os.path.realpath(link) == os.path.realpath(path):
            return int(link.name)
    raise AssertionError(f"{path} is not open")
