"""`oem venue`: an imitation exchange on loopback."""

from __future__ import annotations

import argparse
from pathlib import Path

from oem_cli.exit_codes import ExitCode
from oem_cli.output import Output
from oem_cli.parser import Verbs


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the verbs of `oem venue`."""
    verbs = Verbs(parser)
    serve = verbs.add("serve", _serve, "serve the Binance or Kraken spot dialect until interrupted")
    serve.add_argument("--dialect", choices=["binance", "kraken"], default="binance")
    serve.add_argument("--port", type=int, default=0, help="port on loopback (default: any)")
    serve.add_argument("--symbol", default="BTC/USDT", help="symbol that is traded")
    serve.add_argument("--price", default="60000", help="price its book is made around")
    serve.add_argument("--tick", default="0.01", help="price step")
    serve.add_argument("--lot", default="0.00001", help="quantity step")
    serve.add_argument("--api-key", default="sandbox", help="key of the one account")
    serve.add_argument("--secret", default="c2FuZGJveA==", help="its secret (base64 for Kraken)")
    serve.add_argument("--faults", type=Path, metavar="FILE", help="JSON list of fault rules")
    serve.add_argument("--seed", type=int, default=0, help="seed of the faults")
    serve.add_argument("--min-notional", default="5", help="smallest price times quantity")
    for name, what in (
        ("books", "recorded book updates"),
        ("trades", "recorded trades"),
        ("quotes", "recorded quotes"),
        ("bars", "recorded bars"),
    ):
        serve.add_argument(
            f"--{name}", type=Path, metavar="FILE", help=f"{what} (Parquet) that drive the market"
        )
    serve.add_argument(
        "--script", type=Path, metavar="FILE", help="JSON list of steps that drive the market"
    )
    serve.add_argument(
        "--speed", type=float, default=1.0, help="recorded seconds in one second; 0: no waiting"
    )
    serve.add_argument("--loop", action="store_true", help="begin again at the end of the feed")


def _serve(args: argparse.Namespace, out: Output) -> ExitCode:
    import asyncio

    from oem_exec.sandbox import serve_for_ever, server_settings

    settings = server_settings(
        dialect=args.dialect,
        port=args.port,
        symbol=args.symbol,
        price=args.price,
        tick=args.tick,
        lot=args.lot,
        key=args.api_key,
        secret=args.secret,
        faults=args.faults,
        seed=args.seed,
        min_notional=args.min_notional,
        recorded={name: getattr(args, name) for name in ("books", "trades", "quotes", "bars")},
        script=args.script,
        speed=args.speed,
        loop=args.loop,
    )

    def ready(url: str) -> None:
        out.report({"url": url, "dialect": args.dialect}, url)
        out.data.flush()

    asyncio.run(serve_for_ever(settings, ready))
    return ExitCode.OK
