"""The month's end as Dagster assets: the gate rules, the packets are written, the marts learn of the claims.

`gate/rulings` and `close/packets` are partitioned by practice and month, so that Dagster's grid is the calendar of closes. A run has one partition;
`ccm close` for many practices is one run for the month whose other practices get their mark in the grid too.
"""

from collections import Counter
from collections.abc import Iterator
from datetime import date
from itertools import chain
from typing import Any

import dagster as dg
import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import Field

from orchestration.answer.publish import publish
from orchestration.blanks import stated
from orchestration.close import versions
from orchestration.close.calendar import CLOSES, key_of
from orchestration.close.closing import Approval, Closed
from orchestration.close.judging import close_all
from orchestration.close.propose import Proposed, propose_all
from orchestration.discretion import discreet
from orchestration.engine import open_warehouse
from orchestration.gate.gate import Ruling, rule_on_all
from orchestration.house import House, HouseError
from orchestration.notices import tell_of_closes
from orchestration.practices import Practice, load_practices
from orchestration.runbook import check_spec
from orchestration.signposts import Group, links, owned_by, speaks_of
from orchestration.transform.assets import WAREHOUSE_POOL
from orchestration.transform.office import HELD, held_rows
from orchestration.transform.rebuild import not_built, rebuild_claims
from orchestration.transform.state import build_inputs, is_built

GATE = dg.AssetKey(["gate", "rulings"])
PACKETS = dg.AssetKey(["close", "packets"])
OUTCOMES = dg.AssetKey(["close", "outcomes"])
MAY_CLOSE, NOTHING_WAITS = "may_close", "nothing_waits"
PROPOSER = "proposed by schedule"
Outcome = Closed | Proposed | Ruling  # a ruling: refused
# What the runs of this process found, for the command that started them. Nothing reads it later, so nothing of it stays on disk.
_found: dict[str, dict[str, Outcome]] = {}


def outcomes_of(run_id: str) -> dict[str, Outcome]:
    """practice_id -> what a run of this process came to; given once."""
    return _found.pop(run_id, {})


class CloseConfig(dg.Config):
    """Whom to close the run's month for, and in whose name. Without an approver nothing leaves the house: a proposal is written."""

    approved_by: str | None = Field(default=None, description="Who approves these claims. Empty: only a proposal is written.")
    practice_ids: list[str] | None = Field(
        default=None, description="These practices instead of the run's own: several practices' month in one run."
    )
    waiver: str | None = Field(default=None, description="Why what is held goes out all the same.")
    propose_only: bool = Field(default=False, description="Only write what would be closed, for the approver to see.")
    standing_approvers: bool = Field(
        default=False, description="Each practice in its own standing approver's name (close.standing_approver of practices.yaml)."
    )

    def approver_of(self, practice: Practice) -> str:
        """In whose name this practice's claims go out; empty when they are only proposed."""
        if self.propose_only:
            return ""
        return stated(practice.close.standing_approver if self.standing_approvers else self.approved_by)

    @property
    def proposer(self) -> str:
        return stated(self.approved_by) or PROPOSER


def _month(context: dg.AssetExecutionContext) -> date:
    return date.fromisoformat(f"{_key(context)['month']}-01")


def _key(context: dg.AssetExecutionContext) -> dict[str, str]:
    key = context.partition_key
    assert isinstance(key, dg.MultiPartitionKey)
    return dict(key.keys_by_dimension)


def _wanted(context: dg.AssetExecutionContext, config: CloseConfig, practices: dict[str, Practice]) -> list[str]:
    own = _key(context)["practice"]
    wanted = [own, *(name for name in config.practice_ids or () if name != own)]
    unknown = [name for name in wanted if name not in practices]
    if unknown:
        raise dg.Failure(f"{', '.join(unknown)}: not in practices.yaml")
    return wanted


def _refusal(ruling: Ruling) -> dict[str, Any]:
    return {"passed": ruling.may_close, "metadata": {"refusals": "; ".join(ruling.refusals) or "none"}}


def _waiting(one: Outcome) -> dict[str, Any]:
    said = _said(one)
    return {
        "passed": isinstance(one, Closed) and not one.held,
        "severity": dg.AssetCheckSeverity.ERROR if isinstance(one, Ruling) else dg.AssetCheckSeverity.WARN,
        "metadata": {name: str(value) for name, value in said.items()},
    }


def _checks(asset: dg.AssetKey, name: str, month: date, own: str, results: dict[str, dict[str, Any]]) -> Iterator[Any]:
    """One check result per practice-month: the run's own, and those that came along with it."""
    for practice_id, result in sorted(results.items()):
        if practice_id == own:
            yield dg.AssetCheckResult(asset_key=asset, check_name=name, **result)
        else:
            yield dg.AssetCheckEvaluation(asset_key=asset, check_name=name, partition=key_of(practice_id, month), **result)


def _said(one: Outcome) -> dict[str, Any]:
    """What the grid shows of a practice-month: counts and dollars, no patient."""
    if isinstance(one, Closed):
        return {
            "state": f"closed v{one.version}" if one.version else "nothing new to close",
            "claims": one.claims,
            "allowed": str(one.allowed_amount),
            "held": one.held,
            "packet": str(one.packet) if one.packet else "none",
        }
    if isinstance(one, Proposed):
        totals = one.content["totals"]
        return {
            "state": f"proposed v{one.version}",
            "claims": totals["claims"],
            "allowed": totals["allowed_amount"],
            "held": totals["held"],
            "proposal": str(one.path),
        }
    return {"state": "refused", "reason": "; ".join(one.refusals)}


def _counted(outcomes: dict[str, Outcome]) -> dict[str, int]:
    """How many practices of a run came to what."""
    words = Counter({Closed: "closed", Proposed: "proposed", Ruling: "refused"}[type(one)] for one in outcomes.values())
    return {word: words[word] for word in ("closed", "proposed", "refused")}


def make_close_assets(marts: list[dg.AssetKey]) -> list[dg.AssetsDefinition]:
    @dg.asset(
        key=GATE,
        deps=marts,
        group_name=Group.GATE,
        kinds={"python"},
        owners=owned_by("billing"),
        partitions_def=CLOSES,
        pool=WAREHOUSE_POOL,
        description="Per practice: may this month close, and if not, why not. Stands between the checked marts and every claim file.",
        check_specs=[
            check_spec(MAY_CLOSE, GATE, "The month may close; if not, each refusal says what to do.", partitions_def=CLOSES)
        ],
        tags=speaks_of("none"),
        metadata=links(docs="docs/holds.md", file="orchestration/gate/gate.py"),
    )
    @discreet
    def rulings(context: dg.AssetExecutionContext, config: CloseConfig) -> Iterator[Any]:
        house = House.from_environment()
        practices = load_practices(house.practices_yaml)
        month, own = _month(context), _key(context)["practice"]
        with house.lock("warehouse"):
            inputs = build_inputs(house)
            results = rule_on_all(house, [practices[name] for name in _wanted(context, config, practices)], month, inputs)
        for ruling in results:
            for refusal in ruling.refusals:
                context.log.warning(f"{ruling.practice_id}: {refusal}")
        yield dg.MaterializeResult(
            metadata={
                "may close": ", ".join(r.practice_id for r in results if r.may_close) or "none",
                "refused": ", ".join(r.practice_id for r in results if not r.may_close) or "none",
            },
        )
        for ruling in results:
            if ruling.practice_id != own:
                yield dg.AssetMaterialization(GATE, partition=key_of(ruling.practice_id, month))
        yield from _checks(GATE, MAY_CLOSE, month, own, {ruling.practice_id: _refusal(ruling) for ruling in results})

    @dg.multi_asset(
        name="close__packets",
        specs=[
            dg.AssetSpec(
                PACKETS,
                deps=[GATE],
                skippable=True,
                group_name=Group.CLOSE,
                kinds={"x12"},
                owners=owned_by("billing"),
                tags=speaks_of("identifying"),
                description="closes/<practice>/<month>/v<N>/: claim file, claims, held, evidence, manifest and approval of each practice that may close.",
                metadata=links(docs="docs/adr/0017-the-grid-of-closes-is-the-calendar.md", file="orchestration/close/packet.py"),
            ),
            dg.AssetSpec(
                OUTCOMES,
                deps=[PACKETS],
                skippable=True,
                group_name=Group.CLOSE,
                kinds={"python"},
                owners=owned_by("billing"),
                tags=speaks_of("none"),
                description="What a run came to for its practices. Stands in the grid at the run's own partition if any practice of the run closed: the marts "
                "have to learn of it, also where the run's own practice was refused and has no mark on close/packets.",
                metadata=links(docs="docs/adr/0017-the-grid-of-closes-is-the-calendar.md", file="orchestration/close/assets.py"),
            ),
        ],
        partitions_def=CLOSES,
        pool=WAREHOUSE_POOL,
        check_specs=[
            check_spec(
                NOTHING_WAITS,
                PACKETS,
                "Every claim of the month went out: nothing is refused, waits for an approver or is held for documentation.",
                partitions_def=CLOSES,
            )
        ],
    )
    @discreet
    def packets(context: dg.AssetExecutionContext, config: CloseConfig) -> Iterator[Any]:
        house = House.from_environment()
        practices = load_practices(house.practices_yaml)
        month, own = _month(context), _key(context)["practice"]
        with house.lock("warehouse"):
            # The gate ruled a step ago; what another run may have changed since is ruled on again, under the same lock as the close.
            inputs = build_inputs(house)
            wanted = _wanted(context, config, practices)

            def refused(name: str, error: HouseError) -> Ruling:
                # One practice's trouble never stops another's close.
                context.log.error(f"{name}: {error}")
                return Ruling(name, month, (str(error),))

            try:
                ruled = rule_on_all(house, [practices[name] for name in wanted], month, inputs)
            except HouseError as error:
                ruled = [refused(name, error) for name in wanted]
            may_close = [practices[ruling.practice_id] for ruling in ruled if ruling.may_close]
            outcomes: dict[str, Outcome] = {ruling.practice_id: ruling for ruling in ruled if not ruling.may_close}
            # From the first packet on: whatever breaks the run off behind it, who started it hears of what went out.
            _found[context.run_id] = outcomes
            approved = [(one, Approval(by, stated(config.waiver) or None)) for one in may_close if (by := config.approver_of(one))]
            proposed = [(one, config.proposer) for one in may_close if not config.approver_of(one)]
            done: Iterator[tuple[Practice, Closed | Proposed | HouseError]] = chain(
                close_all(house, approved, month) if approved else (), propose_all(house, proposed, month) if proposed else ()
            )
            for practice, result in done:
                name = practice.practice_id
                outcomes[name] = refused(name, result) if isinstance(result, HouseError) else result
            _found[context.run_id] = outcomes = {name: outcomes[name] for name in wanted}
        tell_of_closes(house, practices, month, {name: _said(one) for name, one in outcomes.items()})
        # A proposal is no close: the grid stays empty until claims went out or there was none to send.
        for name, one in sorted(outcomes.items()):
            if isinstance(one, Closed) and name != own:
                yield dg.AssetMaterialization(PACKETS, partition=key_of(name, month), metadata=_said(one))
        mine = outcomes[own]
        if isinstance(mine, Ruling) and config.practice_ids is None:
            # Red in the grid: this practice-month alone. With several practices in one run the check is red, and the others go on.
            raise dg.Failure(f"{own} {month:%Y-%m} is refused: {'; '.join(mine.refusals)}")
        # Without an output there is no mark in the grid, and nothing to post: nothing went out.
        if isinstance(mine, Closed):
            yield dg.MaterializeResult(asset_key=PACKETS, metadata=_said(mine))
        if any(isinstance(one, Closed) for one in outcomes.values()):
            yield dg.MaterializeResult(asset_key=OUTCOMES, metadata=_counted(outcomes))
        yield from _checks(PACKETS, NOTHING_WAITS, month, own, {name: _waiting(one) for name, one in outcomes.items()})

    @dg.asset(
        key=["close", "posted_claims"],
        deps=[OUTCOMES],
        group_name=Group.CLOSE,
        owners=owned_by("billing"),
        pool=WAREHOUSE_POOL,
        kinds={"duckdb"},
        tags=speaks_of("patient ids"),
        metadata=links(docs="docs/architecture.md", file="orchestration/close/assets.py"),
        description="The marts after the close: what went out is claimed, and published.",
    )
    @discreet
    def posted_claims(context: dg.AssetExecutionContext) -> dg.MaterializeResult[None]:
        from orchestration.answer.worklist_files import write_worklists

        house = House.from_environment()
        with house.lock("warehouse"):
            is_known = is_built(house) and not packets_unknown_to(house) and not held_unknown_to(house)
            if not is_known and (bad := not_built(rebuild_claims(house))):
                raise dg.Failure(f"the marts could not be rebuilt after the close ({bad[0]}); run `ccm nightly --full`")
            publish(house)
        # What the scrub kept back and what went out changes what there is to do.
        write_worklists(house)
        return dg.MaterializeResult()

    return [rulings, packets, posted_claims]


def held_unknown_to(house: House) -> bool:
    """Whether something is held that the models have not heard of, or something no more."""
    path = house.lake / "configuration" / "held.parquet"
    return not path.exists() or pq.read_table(path).to_pylist() != pa.Table.from_pylist(held_rows(house), schema=HELD).to_pylist()


def packets_unknown_to(house: House) -> bool:
    """Whether a packet is on disk that the warehouse has not heard of."""
    with open_warehouse(house) as warehouse:
        known = {
            (practice_id, month, version)
            for practice_id, month, version in warehouse.execute(
                "select practice_id, strftime(month, '%Y-%m'), close_version from staging.stg_closes"
            ).fetchall()
        }
    on_disk = {(packet.practice_id, f"{packet.month:%Y-%m}", packet.number) for packet in versions.packets(house)}
    return bool(on_disk - known)
