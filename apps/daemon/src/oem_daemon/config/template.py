"""The first `config/core.yaml` of a site, with the comments a person needs to change it."""

from __future__ import annotations

import json
from pathlib import Path

_HEAD = """\
# Core OEM: the configuration of this site.
# After a change:  oem config validate   then   oem config sign
version: 1
operator: demo-operator

runtime:
  stage: paper                # demo | paper; each stage has its own decision log
  risk_profile: balanced      # conservative | balanced | aggressive | manual
  symbols: [BTC/USDT, ETH/USDT]
  initial_cash: 100000        # in the quote currency of the symbols
  cycle_seconds: 0.0          # pause between two strategy cycles

"""

_SYNTHETIC = """\
market_data:
  source: synthetic           # generated; every report says so
  seed: {seed}
  timeframe: 1h
  bars: {bars}
"""

_PARQUET = """\
market_data:
  source: parquet             # recorded bars, files named venue_SYMBOL_timeframe.parquet
  folder: {folder}
  venue: binance
  timeframe: 1h
  bars: {bars}
"""

_TAIL = """
strategies:                   # the scheduler asks each of them in every cycle
  - name: trend
    capital_share: 0.5
    settings: {kind: trend, fast: 12, slow: 48}
  - name: mean_reversion
    capital_share: 0.5
    settings: {kind: mean_reversion, window: 24, entry_z: 1.0}

scheduler:
  entry_sizes: [1.0, 0.5]     # sizes of an entry that stand against each other
  rebalance_band: 0.1         # a smaller change of a holding is left alone

execution:
  paper:
    seed: 7
    latency_ms: 1.0
    spread_bps: 2.0           # width of the book around each bar's price
    depth_share: 0.1          # share of a bar's volume that stands in the book
    fees_of: binance          # fee schedule the paper venue charges
  instruments:
    BTC/USDT: {tick_size: 0.01, lot_size: 0.00001, min_notional: 5}
    ETH/USDT: {tick_size: 0.01, lot_size: 0.0001, min_notional: 5}

market_intel:
  max_age_bars: 2.0           # older market data is marked stale and nothing is decided on it

decision_engine:              # what is not named here is as shipped
  rank_by: amount             # bps | amount: what makes one alternative better than another

client: {kyc: true, aml: true}         # whether the client is identified and screened

grpc: {host: 127.0.0.1, port: 0}       # port 0 takes a free one; see var/runtime/daemon.json
metrics: {host: 127.0.0.1, port: 0}
"""


def first_config(*, data: Path | None, bars: int, seed: int) -> str:
    """Return the text of a first configuration.

    Args:
        data: Folder of recorded bars; None configures the seeded generator.
        bars: How many bars to trade on, newest last.
        seed: Seed of the generator; unused with recorded bars.
    """
    market = (
        _SYNTHETIC.format(seed=seed, bars=bars)
        if data is None
        else _PARQUET.format(folder=json.dumps(str(data)), bars=bars)
    )
    return _HEAD + market + _TAIL
