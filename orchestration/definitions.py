"""Everything that Dagster loads. The rooms hold the assets; this only gathers them."""

from __future__ import annotations

import dagster as dg

from orchestration.answer.assets import make_published_marts, reports, worklists
from orchestration.close.assets import make_close_assets
from orchestration.house import House
from orchestration.judge.assets import judge_extracts, judge_open_months
from orchestration.judge.drift import judge_drift
from orchestration.operate.sensors import SENSORS, extracts_came_in_time
from orchestration.payers.assets import INBOX, posted_answers, take_in_answers_assets
from orchestration.practices import load_practices
from orchestration.schedules.jobs import backfill_job, month_end_job, nightly_job, respond_job, schedules
from orchestration.take_in.assets import landed, take_in_assets
from orchestration.transform.assets import configuration_assets, make_dbt_assets

house = House.from_environment().prepare()
practices = load_practices(house.practices_yaml) if house.practices_yaml.exists() else {}
dbt_models = make_dbt_assets(house)
marts = sorted(key for key in dbt_models.keys if key.path[0] == "marts")

defs = dg.Definitions(
    assets=[
        *landed,
        *configuration_assets(house),
        take_in_assets,
        dbt_models,
        make_published_marts(marts),
        worklists,
        reports,
        *make_close_assets(marts),
        INBOX,
        take_in_answers_assets,
        posted_answers,
    ],
    asset_checks=[judge_extracts, judge_open_months, judge_drift, extracts_came_in_time],
    jobs=[nightly_job, backfill_job, month_end_job, respond_job],
    schedules=schedules(practices),
    sensors=SENSORS,
)
