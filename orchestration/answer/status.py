"""What an office manager wants to know, from marts.duckdb alone: per practice and month, funnel, minutes, dollars, days to close."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from orchestration.close.versions import packets
from orchestration.engine import open_marts
from orchestration.house import House, HouseError
from orchestration.practices import Practice, next_month

_MONEY = Decimal("0.01")


def months_status(house: House, practices: dict[str, Practice], month: date | None = None) -> list[dict[str, Any]]:
    """One dict per practice and month (all months, or the one given), by practice and month.

    Amounts are Decimal dollars; `days_to_close` counts from the practice's newest night to its first close day, 0 once that has come.
    Raises HouseError when nothing is published yet.
    """
    if not house.marts.exists():
        raise HouseError(f"{house.marts}: nothing is published yet; run `ccm nightly` first")
    with open_marts(house) as marts:
        cursor = marts.execute(
            """
            with funnel as (
                select practice_id, month, map(list(stage order by stage_number), list(patients order by stage_number)) as funnel
                from enrollment_funnel group by practice_id, month
            ),
            minutes as (
                select practice_id, month, sum(credited_seconds) // 60 as credited_minutes, sum(logged_seconds) // 60 as logged_minutes
                from patient_month_minutes group by practice_id, month
            ),
            stake as (
                select practice_id, month, sum(dollars_at_stake) as at_stake_amount, count(*) as undocumented_items
                from undocumented_time group by practice_id, month
            ),
            gap as (
                select practice_id, month, sum(dollars) filter (where cause <> 'captured') as not_captured_amount
                from revenue_gap group by practice_id, month
            ),
            -- As it went out: what a claimed month is worth by now is a post-close change.
            billed as (select practice_id, month, dollars as claimed_amount from revenue_waterfall where step = 'billed'),
            closes as (select practice_id, month, claimable_amount, held, held_amount, close_version from close_calendar)
            select funnel.practice_id, funnel.month, nights.newest_night, funnel.funnel, minutes.* exclude (practice_id, month),
                closes.* exclude (practice_id, month), billed.claimed_amount, stake.* exclude (practice_id, month), gap.not_captured_amount
            from funnel
            inner join practice_nights as nights on funnel.practice_id = nights.practice_id
            left join minutes on funnel.practice_id = minutes.practice_id and funnel.month = minutes.month
            left join billed on funnel.practice_id = billed.practice_id and funnel.month = billed.month
            left join stake on funnel.practice_id = stake.practice_id and funnel.month = stake.month
            left join gap on funnel.practice_id = gap.practice_id and funnel.month = gap.month
            left join closes on funnel.practice_id = closes.practice_id and funnel.month = closes.month
            where ? is null or funnel.month = ?
            order by funnel.practice_id, funnel.month
            """,
            [month, month],
        )
        names = [column[0] for column in cursor.description]
        rows = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
    for row in rows:
        for name in ("claimable_amount", "claimed_amount", "held_amount", "at_stake_amount", "not_captured_amount"):
            row[name] = Decimal(row[name] or 0).quantize(_MONEY)
        row["undocumented_items"] = int(row["undocumented_items"] or 0)
        practice = practices.get(row["practice_id"])
        first_day = practice.first_close_day(row["month"]) if practice else next_month(row["month"]) + timedelta(days=2)
        row["days_to_close"] = max((first_day - row["newest_night"]).days, 0)
        row["claim_files"] = [
            str((packet.folder / "claims.837").relative_to(house.root))
            for packet in packets(house, row["practice_id"], row["month"], having="claims.837")
        ]
    return rows


def not_taken_in(house: House) -> set[str]:
    """Practices of which files landed and none could be accepted, by the published marts."""
    with open_marts(house) as marts:
        return {
            practice_id
            for (practice_id,) in marts.execute(
                "select distinct practice_id from landed_files anti join practice_nights using (practice_id)"
            ).fetchall()
        }
