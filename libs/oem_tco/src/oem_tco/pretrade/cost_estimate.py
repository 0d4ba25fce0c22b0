"""What an order is expected to cost, part by part, as it stands in records."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from oem_tco.jsontext import number_text
from oem_tco.terms import Component, Provenance


@dataclass(frozen=True, slots=True)
class CostPart:
    """One component of an estimate, in bps of the reference notional."""

    component: Component
    expected_bps: float
    sigma_bps: float
    provenance: Provenance


@dataclass(frozen=True, slots=True)
class CostEstimate:
    """What an order is expected to cost.

    Attributes:
        venue: Venue id.
        symbol: Symbol.
        side: `buy` or `sell`.
        quantity: Base units.
        components: Parts; their expected figures sum to `expected_bps` in this order.
        expected_bps: Expected cost in bps of `notional`, positive is a cost.
        sigma_bps: Its standard deviation.
        low_bps: Lower end of the interval.
        high_bps: Upper end of the interval.
        confidence: Share of orders whose cost should fall inside.
        reference_price: Price the cost is measured from: the mid at the decision.
        notional: `quantity x reference_price` in the quote currency; of an inverse contract
            `quantity / reference_price` in its base asset.
        schedule_version: Fee schedule used; empty where fees are estimated.
        notes: Every fallback that was used, in words.
    """

    venue: str
    symbol: str
    side: str
    quantity: Decimal
    components: tuple[CostPart, ...]
    expected_bps: float
    sigma_bps: float
    low_bps: float
    high_bps: float
    confidence: float
    reference_price: Decimal
    notional: Decimal
    schedule_version: str = ""
    notes: tuple[str, ...] = ()

    @property
    def provenance(self) -> Provenance:
        """The weakest provenance among the components."""
        order = list(Provenance)
        return max((part.provenance for part in self.components), key=order.index)

    def part_bps(self, component: Component) -> float:
        """Return the expected bps of one component, 0 where it does not apply."""
        return sum(p.expected_bps for p in self.components if p.component is component)

    def to_record(self) -> dict[str, Any]:
        """Return the estimate as JSON-ready values."""
        return {
            "venue": self.venue,
            "symbol": self.symbol,
            "side": self.side,
            "quantity": str(self.quantity),
            "components": [
                {
                    "component": part.component.value,
                    "expected_bps": number_text(part.expected_bps),
                    "sigma_bps": number_text(part.sigma_bps),
                    "provenance": part.provenance.value,
                }
                for part in self.components
            ],
            "expected_bps": number_text(self.expected_bps),
            "sigma_bps": number_text(self.sigma_bps),
            "low_bps": number_text(self.low_bps),
            "high_bps": number_text(self.high_bps),
            "confidence": number_text(self.confidence),
            "reference_price": str(self.reference_price),
            "notional": str(self.notional),
            "schedule_version": self.schedule_version,
            "notes": list(self.notes),
        }

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> CostEstimate:
        """Return the estimate of `to_record`; KeyError, TypeError or ValueError otherwise."""
        parts = tuple(
            CostPart(
                Component(part["component"]),
                float(part["expected_bps"]),
                float(part["sigma_bps"]),
                Provenance(part["provenance"]),
            )
            for part in record["components"]
        )
        return cls(
            venue=str(record["venue"]),
            symbol=str(record["symbol"]),
            side=str(record["side"]),
            quantity=Decimal(record["quantity"]),
            components=parts,
            expected_bps=float(record["expected_bps"]),
            sigma_bps=float(record["sigma_bps"]),
            low_bps=float(record["low_bps"]),
            high_bps=float(record["high_bps"]),
            confidence=float(record["confidence"]),
            reference_price=Decimal(record["reference_price"]),
            notional=Decimal(record["notional"]),
            schedule_version=str(record["schedule_version"]),
            notes=tuple(map(str, record["notes"])),
        )
