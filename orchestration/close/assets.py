"""The month's end as Dagster assets: the gate rules, the packets are written, the marts learn of the claims."""

from datetime import date
from typing import Any

import dagster as dg
from pydantic import Field

from orchestration.answer.publish import publish
from orchestration.close.packet import Approval, Closed, close_month
from orchestration.close.propose import Proposed, propose
from orchestration.discretion import discreet
from orchestration.gate.gate import Ruling, rule_on
from orchestration.house import House, HouseError
from orchestration.practices import load_practices
from orchestration.transform.assets import WAREHOUSE_POOL, rebuild_claims
from orchestration.transform.state import build_inputs


class CloseConfig(dg.Config):
    """Which month to close, for whom, and in whose name."""

    month: str = Field(description="The month to close, YYYY-MM.")
    approved_by: str = Field(description="Who approves these claims.")
    practice_ids: list[str] | None = Field(default=None, description="Only these practices; all when empty.")
    waiver: str | None = Field(default=None, description="Why what is held goes out all the same.")
    propose_only: bool = Field(default=False, description="Only write what would be closed, for the approver to see.")


def _month(config: CloseConfig) -> date:
    return date.fromisoformat(f"{config.month}-01")


def make_close_assets(marts: list[dg.AssetKey]) -> list[dg.AssetsDefinition]:
    @dg.asset(
        key=["gate", "rulings"],
        deps=marts,
        group_name="gate",
        owners=["team:billing"],
        pool=WAREHOUSE_POOL,
        description="Per practice: may this month close, and if not, why not. Stands between the checked marts and every claim file.",
    )
    @discreet
    def rulings(context: dg.AssetExecutionContext, config: CloseConfig) -> dg.Output[list[Ruling]]:
        house = House.from_environment()
        practices = load_practices(house.practices_yaml)
        wanted = config.practice_ids or list(practices)
        with house.lock("warehouse"):
            inputs = build_inputs(house)
            results = [rule_on(house, practices[practice_id], _month(config), inputs) for practice_id in wanted]
        for ruling in results:
            for refusal in ruling.refusals:
                context.log.warning(f"{ruling.practice_id}: {refusal}")
        return dg.Output(
            results,
            metadata={
                "may close": ", ".join(r.practice_id for r in results if r.may_close) or "none",
                "refused": ", ".join(r.practice_id for r in results if not r.may_close) or "none",
            },
        )

    @dg.asset(
        key=["close", "packets"],
        ins={"rulings": dg.AssetIn(["gate", "rulings"])},
        group_name="close",
        kinds={"x12"},
        owners=["team:billing"],
        tags={"phi": "yes"},
        pool=WAREHOUSE_POOL,
        description="closes/<practice>/<month>/v<N>/: claim file, claims, held, evidence, manifest and approval of each practice that may close.",
    )
    @discreet
    def packets(context: dg.AssetExecutionContext, config: CloseConfig, rulings: list[Ruling]) -> dg.Output[list[Any]]:
        house = House.from_environment()
        practices = load_practices(house.practices_yaml)
        closed: list[Closed | Proposed | str] = []
        with house.lock("warehouse"):
            # The gate ruled a step ago; what another run may have changed since is ruled on again, under the same lock as the close.
            inputs = build_inputs(house)
            for ruling in rulings:
                practice = practices[ruling.practice_id]
                if not ruling.may_close:
                    continue
                try:
                    again = rule_on(house, practice, ruling.month, inputs)
                    if not again.may_close:
                        raise HouseError("; ".join(again.refusals))
                    if config.propose_only:
                        closed.append(propose(house, practice, ruling.month, config.approved_by))
                    else:
                        closed.append(close_month(house, practice, ruling.month, Approval(config.approved_by, config.waiver)))
                except HouseError as error:
                    # One practice's trouble never stops another's close.
                    context.log.error(f"{ruling.practice_id}: {error}")
                    closed.append(f"{ruling.practice_id}: {error}")
        done = [one for one in closed if isinstance(one, Closed)]
        return dg.Output(
            closed,
            metadata={
                "claims": sum(one.claims for one in done),
                "allowed": str(sum(one.allowed_amount for one in done)),
                "held": sum(one.held for one in done),
                "packets": ", ".join(f"{one.practice_id} v{one.version}" for one in done if one.version) or "none",
            },
        )

    @dg.asset(
        key=["close", "posted_claims"],
        ins={"packets": dg.AssetIn(["close", "packets"])},
        group_name="close",
        owners=["team:billing"],
        pool=WAREHOUSE_POOL,
        description="The marts after the close: what went out is claimed, and published.",
    )
    @discreet
    def posted_claims(context: dg.AssetExecutionContext, packets: list[Any]) -> dg.MaterializeResult[None]:
        from orchestration.answer.worklist_files import write_worklists

        house = House.from_environment()
        if packets and all(isinstance(one, Proposed) for one in packets):
            return dg.MaterializeResult()  # a proposal changes no mart
        with house.lock("warehouse"):
            if any(isinstance(one, Closed) and one.version for one in packets):
                bad = [result.unique_id for result in rebuild_claims(house) if result.is_bad]
                if bad:
                    raise dg.Failure(f"the marts could not be rebuilt after the close ({bad[0]}); run `ccm nightly --full`")
            publish(house)
        # What the scrub kept back and what went out changes what there is to do.
        write_worklists(house)
        return dg.MaterializeResult()

    return [rulings, packets, posted_claims]
