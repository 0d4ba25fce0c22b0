"""Try a TLS 1.2 and a TLS 1.3 handshake with a server and print how each ended."""

from __future__ import annotations

import asyncio
import socket
import ssl
import sys
from pathlib import Path

from api_support import Desk, Pki, make_pki, serve


def attempt(pki: Pki, port: int, version: ssl.TLSVersion) -> str:
    context = ssl.create_default_context(cafile=str(pki.folder / "ca.pem"))
    context.load_cert_chain(pki.folder / "client.pem", pki.folder / "client.key")
    context.set_alpn_protocols(["h2"])
    context.minimum_version = context.maximum_version = version
    try:
        with (
            socket.create_connection(("127.0.0.1", port), timeout=5) as raw,
            context.wrap_socket(raw, server_hostname="localhost") as secure,
        ):
            return str(secure.version())
    except (ssl.SSLError, ConnectionError):
        return "refused"


async def main(folder: Path) -> None:
    pki = make_pki(folder)
    async with serve(pki, Desk()) as port:
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            print(await asyncio.to_thread(attempt, pki, port, version))


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
