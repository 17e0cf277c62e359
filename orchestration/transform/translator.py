"""How the dbt project is shown to Dagster: the key, group, owners, tags and links of each seed, model and test."""

from collections.abc import Mapping
from itertools import takewhile
from typing import Any

import dagster as dg
from dagster_dbt import DagsterDbtTranslator, DagsterDbtTranslatorSettings

from orchestration.house import DATA_CONTRACTS, DBT_PROJECT, PROJECT_ROOT
from orchestration.runbook import check_spec
from orchestration.signposts import DICTIONARY, Group, links, owned_by, speaks_of
from orchestration.transform import standing

ROOMS = {
    "staging": Group.STAGING,
    "holds": Group.JUDGE,
    "panel": Group.PANEL,
    "minutes": Group.MINUTES,
    "decisions": Group.DECISIONS,
    "payments": Group.PAYMENTS,
    "answers": Group.PAYMENTS,
    "office": Group.OFFICE,
    "marts": Group.OFFICE,
}
# The marts that are not of the office's morning: they stand with what they are made from.
MARTS = {
    Group.JUDGE: ("close_holds", "extract_drift", "landed_files", "quarantine", "row_accounting"),
    Group.STAGING: ("practice_nights",),
    Group.PANEL: ("member_facts", "patient_facts"),
    Group.MINUTES: ("minute_ledger", "patient_month_minutes", "time_entry_facts"),
    Group.DECISIONS: (
        "claim_audit", "claimable_codes", "eligibility", "fee_schedule_prices", "patient_month_decisions", "patient_month_evidence",
        "post_close_changes",
    ),
    Group.PAYMENTS: ("answer_files", "claim_aging", "claim_answers", "claim_denials", "claim_history", "claim_line_payments", "claims", "remittances"),
}  # fmt: skip
_GROUP_OF_MART = {mart: group for group, marts in MARTS.items() for mart in marts}


class Translator(DagsterDbtTranslator):
    """Names and groups the dbt nodes by the room they stand in."""

    def __init__(self) -> None:
        super().__init__(DagsterDbtTranslatorSettings(enable_asset_checks=True, enable_code_references=False))

    def get_asset_key(self, dbt_resource_props: Mapping[str, Any]) -> dg.AssetKey:
        if dbt_resource_props["resource_type"] == "source":
            # All answers are taken in by one asset; the models keep those about coverage apart from those about claims.
            source = {"eligibility": "answers"}.get(dbt_resource_props["source_name"], dbt_resource_props["source_name"])
            return dg.AssetKey([source, dbt_resource_props["name"]])
        return dg.AssetKey([dbt_resource_props["schema"], dbt_resource_props["name"]])

    def get_asset_spec(self, manifest: Mapping[str, Any], unique_id: str, project: Any) -> dg.AssetSpec:
        spec = super().get_asset_spec(manifest, unique_id, project)
        # The sets of a night are how it is built, not what: the graph shows the way as if everything were.
        spec = spec.replace_attributes(deps=[dep for dep in spec.deps if dep.asset_key.path[0] != standing.SETS])
        return spec.replace_attributes(kinds={"csv", "duckdb"}) if unique_id.startswith("seed.") else spec

    def get_group_name(self, dbt_resource_props: Mapping[str, Any]) -> str:
        if dbt_resource_props["resource_type"] == "seed":
            return Group.RULES
        if dbt_resource_props["resource_type"] == "source":
            return Group.TAKE_IN
        for folder in reversed(dbt_resource_props["fqn"][:-1]):
            if folder in ROOMS:
                return _GROUP_OF_MART.get(dbt_resource_props["name"], ROOMS[folder])
        return Group.TAKE_IN

    def get_asset_check_spec(
        self, asset_spec: dg.AssetSpec, manifest: Mapping[str, Any], unique_id: str, project: Any
    ) -> dg.AssetCheckSpec | None:
        """Never blocking: a red check keeps the practice at fault from closing (the gate), not every practice from its morning."""
        spec = super().get_asset_check_spec(asset_spec, manifest, unique_id, project)
        if spec is None:
            return None
        node = manifest["nodes"][unique_id]
        return check_spec(
            spec.name,
            spec.asset_key,
            node["description"] or meaning_of(node),
            kind=node.get("test_metadata", {}).get("name"),
            file=f"{DBT_PROJECT.name}/{node['original_file_path']}",
            metadata=spec.metadata,
        )

    def get_owners(self, dbt_resource_props: Mapping[str, Any]) -> list[str]:
        return owned_by(dbt_resource_props.get("meta", {}).get("owner", "billing"))

    def get_tags(self, dbt_resource_props: Mapping[str, Any]) -> Mapping[str, str]:
        return {**super().get_tags(dbt_resource_props), **speaks_of(dbt_resource_props.get("meta", {}).get("phi", "none"))}

    def get_metadata(self, dbt_resource_props: Mapping[str, Any]) -> Mapping[str, Any]:
        name, folder = dbt_resource_props["name"], DBT_PROJECT.name
        described = (dbt_resource_props.get("patch_path") or "").partition("://")[2]
        contract = DATA_CONTRACTS / "marts" / f"{name}.odcs.yaml"
        return {
            **super().get_metadata(dbt_resource_props),
            **links(
                file=f"{folder}/{dbt_resource_props['original_file_path']}",
                yml=f"{folder}/{described}" if described else None,
                contract=contract.relative_to(PROJECT_ROOT).as_posix() if contract.exists() else None,
                dictionary=f"{DICTIONARY}#{name}" if dbt_resource_props["resource_type"] != "source" else None,
            ),
        }


def meaning_of(test: Mapping[str, Any]) -> str:
    """What a dbt test says: the comment that its file begins with, else its name, which is a sentence."""
    comments = [line.strip() for line in test["raw_code"].splitlines() if line.strip() and not line.strip().startswith("{")]
    said = list(takewhile(lambda line: line.startswith("--"), comments))
    return " ".join(line.lstrip("- ") for line in said) or f"{test['name'].replace('_', ' ').capitalize()}."
