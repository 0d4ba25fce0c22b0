"""ccxt's HTTP request without the steps that a venue of this library never takes."""

from __future__ import annotations

import socket
from typing import Any

from oem_exec.ccxt_venue.loader import load_errors

_KINDS = ("proxyUrl", "proxy_url", "httpProxy", "http_proxy", "httpsProxy", "https_proxy",
          "socksProxy", "socks_proxy")  # fmt: skip
_SPECIAL = (
    "verbose", "proxy", "aiohttp_proxy", "returnResponseHeaders",
    *(kind + end for kind in _KINDS for end in ("", "Callback", "_callback")),
)  # fmt: skip
"""Settings of an exchange object that its own `fetch` has to see to."""


def send_directly(exchange: Any) -> None:
    """Replace an exchange object's `fetch` by one without proxies, log lines and copies.

    What is sent, how the answer is read (`parse_json`, `handle_errors`,
    `handle_http_status_code`) and what is raised stay ccxt's own. An object that is told to use a
    proxy or to be verbose uses ccxt's `fetch` again.

    Args:
        exchange: A ccxt exchange of `ccxt.async_support`.
    """
    import aiohttp
    import yarl

    errors = load_errors()
    fetch, settings = exchange.fetch, vars(exchange)
    timeout = aiohttp.ClientTimeout()

    async def direct(
        url: str, method: str = "GET", headers: Any = None, body: str | None = None
    ) -> Any:
        nonlocal timeout
        if any(map(settings.get, _SPECIAL)):
            return await fetch(url, method, headers, body)
        exchange.open(True)
        sent = exchange.prepare_request_headers(headers)
        limit_s = exchange.timeout / 1000
        if timeout.total != limit_s:
            # ccxt sets the same limit for connecting and for each read: two timers that never ring
            timeout = aiohttp.ClientTimeout(total=limit_s)
        try:
            async with exchange.session.request(
                method,
                yarl.URL(url, encoded=True),
                data=body.encode() if body else None,
                headers=sent,
                timeout=timeout,
            ) as response:
                text = (await response.text(errors="replace")).strip()
        except socket.gaierror as error:
            raise errors.ExchangeNotAvailable(f"{exchange.id} {method} {url}") from error
        except TimeoutError as error:
            raise errors.RequestTimeout(f"{exchange.id} {method} {url}") from error
        except aiohttp.ClientConnectionError as error:
            raise errors.ExchangeNotAvailable(f"{exchange.id} {method} {url}") from error
        except aiohttp.ClientError as error:
            raise errors.ExchangeError(f"{exchange.id} {method} {url}") from error
        code, reason, told = response.status, response.reason, dict(response.headers)
        answer = exchange.parse_json(text)
        exchange.last_http_response = text  # kraken's class looks at it
        exchange.handle_errors(code, reason, url, method, told, text, answer, sent, body)
        exchange.handle_http_status_code(code, reason, url, method, text)
        return text if answer is None else answer

    exchange.fetch = direct
