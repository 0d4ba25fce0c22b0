"""A client of the site's own daemon."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from oem_cli.small_file import text_of
from oem_daemon.site import Site
from oem_security.errors import Category, OemError

if TYPE_CHECKING:
    from oem_api import TradingClient


class RemoteError(OemError):
    """The daemon refused or cannot be reached; the category is the one it gave."""

    def __init__(self, what: str, *, where: str, remedy: str, category: Category) -> None:
        super().__init__(what, where=where, remedy=remedy)
        self.category = category  # type: ignore[misc]


def daemon_facts(site: Site) -> dict[str, str]:
    """Return what the running daemon wrote about itself.

    Raises:
        RemoteError: No daemon of this site is running.
    """
    path = site.runtime / "daemon.json"
    try:
        facts = json.loads(path.read_text())
        return {str(k): str(v) for k, v in facts.items()}
    except (FileNotFoundError, ValueError, AttributeError, RecursionError):
        raise RemoteError(
            "no daemon of this site is running",
            where=str(path),
            remedy="start one: oem daemon run",
            category=Category.UNAVAILABLE,
        ) from None


def token_of(site: Site, path: Path | None) -> str:
    """Return the operator token of a file, or the only one of the site."""
    found = [path] if path else sorted(site.tokens.glob("*.token"))
    if len(found) != 1 or not found[0].is_file():
        raise RemoteError(
            f"{len(found)} token files" if path is None else "there is no such token file",
            where=str(path or site.tokens),
            remedy="name one with --token-file",
            category=Category.INPUT,
        )
    return text_of(found[0], "token").strip()


@contextmanager
def connect(site: Site, token: str) -> Iterator[TradingClient]:
    """Yield a client of the site's daemon; its errors become the CLI's."""
    from oem_api import ApiError, TlsMaterial, TradingClient

    facts = daemon_facts(site)
    tls = TlsMaterial(
        ca=site.mtls / "ca.pem",
        certificate=site.mtls / "client.pem",
        private_key=site.mtls / "client.key",
    )
    try:
        with TradingClient(facts["grpc"], tls, token) as client:
            yield client
    except ApiError as error:
        raise RemoteError(
            error.what, where=error.where, remedy=error.remedy, category=Category(error.category)
        ) from None
