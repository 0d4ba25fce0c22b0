"""Whether an order may be sent at all: started, recording works, and the kill switch allows it."""

from __future__ import annotations

from oem_exec.errors import KillSwitchEngaged, NotStarted, UnresolvedOrders
from oem_exec.model.enums import KillState
from oem_exec.model.intent import OrderIntent
from oem_exec.model.states import OrderState
from oem_exec.routing.floor import Floor
from oem_exec.store.protocol import KillSwitch


class KillGuard:
    """Stands before every order; cancels pass it.

    Args:
        floor: The router's parts.
    """

    def __init__(self, floor: Floor) -> None:
        self._floor = floor
        self.started = False
        """Whether earlier orders were reconciled and new ones are taken."""

    def require_started(self) -> None:
        """Raise `NotStarted` before `start` and after `stop`."""
        if not self.started:
            raise NotStarted("the router is not started", remedy="await start() first")

    def require_working(self) -> None:
        """Raise unless the router is started and its log and store work."""
        self.require_started()
        self._floor.desk.check()

    def require_active(self, intent_id: str) -> None:
        """Raise `KillSwitchEngaged` in any state but ACTIVE."""
        state = self._floor.store.kill_switch().state
        if state is not KillState.ACTIVE:
            raise KillSwitchEngaged(
                f"the kill switch is {state}", where=intent_id, remedy="cancel the order"
            )

    def require_allowed(self, intent: OrderIntent, switch: KillSwitch | None = None) -> None:
        """Raise unless an intent may be sent now.

        Args:
            intent: The order wanted.
            switch: The kill switch where the caller has just read it.

        Raises:
            KillSwitchEngaged: HALTED, or REDUCING and the order does not reduce.
            UnresolvedOrders: `refuse_while_unresolved` is set and an outcome is unknown.
        """
        switch = switch or self._floor.store.kill_switch()
        allowed = switch.state is KillState.ACTIVE or (
            switch.state is KillState.REDUCING and intent.reduce_only
        )
        if not allowed:
            raise KillSwitchEngaged(
                f"the kill switch is {switch.state} ({switch.reason or 'no reason given'})",
                where=intent.intent_id,
                remedy="an operator sets it back to active with `oem exec kill active`",
            )
        if self._floor.settings.refuse_while_unresolved and any(
            order.state is OrderState.UNKNOWN for order in self._floor.desk.live()
        ):
            raise UnresolvedOrders(
                "an earlier order's outcome is unknown",
                where=intent.intent_id,
                remedy="wait until the venue answers, which settles it; see: oem exec status",
            )

    async def throw(self, state: KillState, *, reason: str, operator: str) -> None:
        """Set the switch, durably, in the metrics and in the log."""
        floor = self._floor
        now = floor.clock.now_ns()
        await floor.store.set_kill_switch(KillSwitch(state, reason, operator, now))
        if floor.metrics is not None:
            floor.metrics.kill_switch(state)
        await floor.desk.note(
            "router.kill_state",
            {"state": state.value, "reason": reason, "operator": operator, "time_ns": now},
        )
