"""`ccm rules load-fees`: CMS's own files become dated rows, and a file that does not add up becomes none."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from orchestration.command import rules
from orchestration.command.common import Screen
from orchestration.command.rules import _print_loading
from orchestration.house import DBT_PROJECT, HouseError
from orchestration.rules.fee_rows import FACTORS, FILES, GPCIS, RVUS, AmountChange, write_seeds
from orchestration.rules.seeds import read_seed, seed_text
from tests.pipeline.homes import Ran, warm
from tests.rules.cms_files import HEADER, CmsRelease, ValueRow, write_gpcis
from tests.rules.seeds_of_july import ccm_in_july, plan_loading, seeds_of_july

SEEDS = seeds_of_july()
SHIPPED = {seed: read_seed(SEEDS / "reference" / f"{seed}.csv") for seed in (RVUS, GPCIS, FACTORS, FILES)}
REFERENCE = Path(__file__).parents[3] / "shared" / "data" / "reference" / "mpfs"
BEFORE_2026 = {"2024": ("D", "RVU24D", "33.2875"), "2025": ("D", "RVU25D", "32.3465")}


def of_year(seed: str, year: int | str) -> list[dict[str, str]]:
    return [row for row in SHIPPED[seed] if row["effective_from"].startswith(str(year))]


def october(**changes: object) -> CmsRelease:
    """A made-up October release of 2026 with the figures of July."""
    rows = [ValueRow.of_seed(row) for row in of_year(RVUS, 2026)]
    return replace(CmsRelease(2026, "D", "08/26/2026", "33.4009", rows, qualifying_factor="33.5675"), **changes)


def january_2027() -> CmsRelease:
    """A made-up January release with a factor of its own."""
    return october(year=2027, quarter="A", released="12/28/2026", factor="32.8409", qualifying_factor="33.1693")


def with_localities(release: CmsRelease, folder: Path) -> list[Path]:
    return [*release.write(folder), write_gpcis(folder, release.year, of_year(GPCIS, 2026))]


def with_dates(seeds: Path, code: str, **dates: str) -> Path:
    """The seeds with other dates of the rules that claim this code."""
    bands = seeds / "rules" / "rule_bands.csv"
    rows = read_seed(bands)
    bands.write_text(seed_text(rows[0], [{**row, **dates} if row["procedure_code"] == code else row for row in rows]))
    return seeds


def with_row(release: CmsRelease, code: str, **figures: str) -> CmsRelease:
    return replace(release, rows=[replace(row, **figures) if row.code == code else row for row in release.rows])


@pytest.fixture
def seeds(tmp_path: Path) -> Path:
    """A copy of the seeds, to be written to."""
    return Path(shutil.copytree(SEEDS, tmp_path / "seeds"))


def before_year(seeds: Path, year: int) -> Path:
    """The seeds as they were before this year was loaded; its codes are known from an old release."""
    for seed, rows in SHIPPED.items():
        kept = [row for row in rows if not row["effective_from"].startswith(str(year))]
        if seed == RVUS:
            old = {"release": "RVU20D", "effective_from": "2020-01-01", "effective_to": "2020-12-31"}
            kept += [{**row, **old} for row in of_year(RVUS, year)]
        (seeds / "reference" / f"{seed}.csv").write_text(seed_text(rows[0], kept))
    return seeds


def refused(*paths: Path, **options: object) -> str:
    with pytest.raises(HouseError) as error:
        plan_loading(list(paths), **options)
    text = str(error.value)
    assert "nothing was written" in text
    return text


# --- what is read ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("year", [2024, 2025, 2026])
def test_loading_files_made_from_the_seeds_gives_the_seeds_rows(year, seeds, tmp_path):
    if year < 2026:
        quarter, release, factor = BEFORE_2026[str(year)]
        made = CmsRelease(year, quarter, "09/01/2025", factor, [])
    else:
        release = "RVU26C"
        made = CmsRelease(year, "C", "06/30/2026", "33.4009", [], qualifying_factor="33.5675")
    made.rows = [ValueRow.of_seed(row) for row in of_year(RVUS, year)]
    files = [*made.write(tmp_path), write_gpcis(tmp_path, year, of_year(GPCIS, year))]

    loading = plan_loading(files, seeds=before_year(seeds, year))

    assert loading.releases == [release]
    released_on = {2024: "2025-09-01", 2025: "2025-09-01", 2026: "2026-06-30"}[year]
    assert loading.additions[RVUS] == [{**row, "released_on": released_on} for row in of_year(RVUS, year)]
    citation = f"CMS GPCI{year} ({release}), work floor 1.0"
    assert loading.additions[GPCIS] == [{**row, "release": release, "citation": citation} for row in of_year(GPCIS, year)]
    assert {(row["qualifying_apm_participant"], row["conversion_factor"]) for row in loading.additions[FACTORS]} == {
        ("false", made.factor),
        ("true", made.qualifying_factor or made.factor),
    }
    assert {row["effective_to"] for seed in loading.additions for row in loading.additions[seed]} == {f"{year}-12-31"}


def test_a_seed_that_gets_no_rows_is_written_as_it_was(seeds, tmp_path):
    loading = plan_loading(october().write(tmp_path), seeds=seeds)
    for seed in (GPCIS, FACTORS):
        assert loading.texts[seed] == (seeds / "reference" / f"{seed}.csv").read_text()
    write_seeds(loading, seeds / "reference")
    grown = read_seed(seeds / "reference" / f"{RVUS}.csv")
    assert [row for row in grown if row["release"] != "RVU26D"] == SHIPPED[RVUS], "nothing that was there is changed"
    assert {row["released_on"] for row in grown if row["release"] == "RVU26D"} == {"2026-08-26"}


@pytest.mark.parametrize(
    "form", [{"banner_rows": 8}, {"banner_rows": 12}, {"bom": True}, {"encoding": "latin-1"}], ids=lambda form: str(form)
)
def test_banners_of_any_length_and_encoding_are_read(form, seeds, tmp_path):
    loading = plan_loading(october(**form).write(tmp_path), seeds=seeds)
    assert len(loading.additions[RVUS]) == len(of_year(RVUS, 2026))


def test_only_codes_of_the_rules_without_a_modifier_are_kept_and_no_descriptor(seeds, tmp_path):
    release = october()
    release.rows += [
        ValueRow("0001F", "0.00", "0.00", "0.00", "0.00", status="I"),
        ValueRow("71046", "0.22", "0.67", "0.67", "0.04"),
        ValueRow("99490", "0.50", "0.40", "0.40", "0.02", modifier="26"),
        ValueRow("99347", "0.90", "0.80", "0.30", "0.06"),  # an initiating visit that no release has priced yet
    ]
    loading = plan_loading(release.write(tmp_path), seeds=seeds)
    added = {row["procedure_code"]: row for row in loading.additions[RVUS]}
    assert added.keys() == {row["procedure_code"] for row in of_year(RVUS, 2026)} | {"99347"}
    assert added["99490"]["work_rvu"] == "1.00"
    assert "Made-up" not in json.dumps([loading.texts, loading.files], default=str)


def test_the_ledger_of_files_keeps_hash_release_day_and_row_count(seeds, tmp_path):
    import hashlib

    files = october().write(tmp_path)
    loading = plan_loading(files, seeds=seeds)
    kept = {row["file_name"]: row for row in loading.additions[FILES]}
    for path, kind in zip(files, ("relative_values", "relative_values_qualifying"), strict=True):
        row = kept[path.stem]
        assert (row["sha256"], row["kind"]) == (hashlib.sha256(path.read_bytes()).hexdigest(), kind)
        assert (row["release"], row["released_on"], row["row_count"]) == ("RVU26D", "2026-08-26", str(len(of_year(RVUS, 2026))))


def test_a_release_that_is_loaded_already_adds_only_the_codes_it_did_not_have(seeds, tmp_path):
    july = october(quarter="C", released="06/30/2026")
    july.rows += [ValueRow("99347", "0.90", "0.80", "0.30", "0.06")]
    loading = plan_loading(july.write(tmp_path), seeds=seeds)
    assert [(row["procedure_code"], row["release"]) for row in loading.additions[RVUS]] == [("99347", "RVU26C")]
    assert loading.additions[FACTORS] == loading.amounts == []
    write_seeds(loading, seeds / "reference")
    assert plan_loading(july.write(tmp_path), seeds=seeds).is_empty


# --- dates: what a newer release does to days that are priced already ------------------------------------------------


def test_a_newer_quarter_prices_its_whole_year_and_shows_the_change_in_dollars(seeds, tmp_path):
    release = with_row(october(), "99490", office="0.95", facility="0.25")
    loading = plan_loading(release.write(tmp_path), seeds=seeds)
    january = date(2026, 1, 1)
    assert loading.amounts == [
        AmountChange("99490", january, "facility", Decimal("43.76"), Decimal("44.09")),
        AmountChange("99490", january, "office", Decimal("66.13"), Decimal("67.47")),
        AmountChange("99490", january, "office, qualifying participant", Decimal("66.46"), Decimal("67.81")),
    ]
    assert len(loading.localities) == 109
    assert {row["effective_from"] for row in loading.additions[RVUS]} == {"2026-01-01"}


def test_the_localities_are_told_of_the_code_that_the_rules_have_for_the_base_code(seeds, tmp_path, capsys):
    for code, is_base in (("99490", "false"), ("99439", "true")):
        with_dates(seeds, code, is_base=is_base)
    loading = plan_loading(with_row(october(), "99439", work="0.80").write(tmp_path), seeds=seeds)
    assert {change.procedure_code for change in loading.localities} == {"99439"}
    _print_loading(loading)
    assert "99439 changes in 109 localities, such as:" in capsys.readouterr().out


def test_an_older_quarter_loaded_late_changes_no_amount_and_says_so(seeds, tmp_path):
    april = with_row(october(quarter="B", released="03/31/2026"), "99490", work="9.00")
    loading = plan_loading(april.write(tmp_path), seeds=seeds)
    assert len(loading.additions[RVUS]) == len(of_year(RVUS, 2026))
    assert loading.amounts == loading.localities == []
    assert any("older than RVU26C" in notice for notice in loading.notices)


def test_a_release_that_starts_inside_the_year_leaves_the_days_before_as_they_were(seeds, tmp_path):
    release = with_row(october(), "99439", work="0.80")
    loading = plan_loading(release.write(tmp_path), seeds=seeds, effective_from=date(2026, 10, 1))
    assert {change.service_date for change in loading.amounts} == {date(2026, 10, 1)}
    assert {change.procedure_code for change in loading.amounts} == {"99439"}


def test_a_revision_of_a_loaded_quarter_stands_beside_it_and_prices_the_year(seeds, tmp_path):
    revised = with_row(october(quarter="C", released="07/20/2026"), "99490", office="0.92")
    loading = plan_loading(revised.write(tmp_path), seeds=seeds)
    assert {row["release"] for row in loading.additions[RVUS]} == {"RVU26CR1"}
    assert {change.procedure_code for change in loading.amounts} == {"99490"}
    write_seeds(loading, seeds / "reference")
    # And the quarter after that prices over the revision.
    loading = plan_loading(october().write(tmp_path / "october"), seeds=seeds)
    office = [change for change in loading.amounts if change.amount == "office"]
    assert [(change.before, change.after) for change in office] == [(Decimal("66.47"), Decimal("66.13"))]


def test_a_file_of_a_loaded_quarter_with_other_figures_that_is_no_later_revision_is_refused(tmp_path):
    text = refused(*with_row(october(quarter="C", released="06/30/2026"), "99490", office="0.92").write(tmp_path))
    assert "99490 is not what RVU26C, RELEASED 2026-06-30, is loaded with" in text


def test_a_factor_that_differs_from_the_years_needs_its_first_service_date(seeds, tmp_path):
    release = october(factor="34.0000", qualifying_factor="34.2000")
    files = release.write(tmp_path)
    text = refused(*files, seeds=seeds)
    assert "column CONV FACTOR: 34.0000 is not the factor of 2026 (33.4009" in text and "--effective-from" in text

    loading = plan_loading(files, seeds=seeds, effective_from=date(2026, 10, 1))
    assert {change.service_date for change in loading.amounts} == {date(2026, 10, 1)}
    assert [(row["conversion_factor"], row["effective_from"]) for row in loading.additions[FACTORS]] == [
        ("34.0000", "2026-10-01"),
        ("34.2000", "2026-10-01"),
    ]
    retroactive = plan_loading(files, seeds=seeds, effective_from=date(2026, 1, 1))
    office = next(c for c in retroactive.amounts if (c.procedure_code, c.amount) == ("99490", "office"))
    assert (office.service_date, office.before, office.after) == (date(2026, 1, 1), Decimal("66.13"), Decimal("67.32"))


@pytest.mark.parametrize("first_day", [date(2027, 1, 1), date(2027, 1, 15)])
def test_a_revision_that_corrects_the_conversion_factor_alone_is_loaded_from_the_day_that_is_said(first_day, seeds, tmp_path):
    january = january_2027()
    write_seeds(plan_loading(with_localities(january, tmp_path), seeds=before_year(seeds, 2027)), seeds / "reference")
    revised = replace(january, released="01/20/2027", factor="33.1000").write(tmp_path / "revised")
    assert "say from which service date it holds with --effective-from" in refused(*revised, seeds=seeds)

    loading = plan_loading(revised, seeds=seeds, effective_from=first_day)
    assert loading.releases == ["RVU27AR1"]
    assert [(row["conversion_factor"], row["effective_from"], row["release"]) for row in loading.additions[FACTORS]] == [
        ("33.1000", first_day.isoformat(), "RVU27AR1")
    ]
    office = [change for change in loading.amounts if (change.procedure_code, change.amount) == ("99490", "office")]
    assert office == [AmountChange("99490", first_day, "office", Decimal("65.02"), Decimal("65.54"))]
    write_seeds(loading, seeds / "reference")
    assert plan_loading(revised, seeds=seeds, effective_from=first_day).is_empty, "given again it adds nothing"


def test_another_factor_of_a_release_that_is_no_later_revision_is_refused_without_an_advice_that_fails(seeds, tmp_path):
    january = january_2027()
    write_seeds(plan_loading(with_localities(january, tmp_path), seeds=before_year(seeds, 2027)), seeds / "reference")
    text = refused(*replace(january, factor="33.1000").write(tmp_path / "other"), seeds=seeds)
    assert "a revision RELEASED later" in text and "--effective-from" not in text


def factors_of(loading) -> list[tuple[str, str, str]]:
    return [(row["conversion_factor"], row["effective_from"], row["release"]) for row in loading.additions[FACTORS]]


@pytest.mark.long
def test_a_factor_that_goes_back_to_an_earlier_one_of_its_year_needs_its_first_service_date_too(seeds, tmp_path):
    january = january_2027()
    april = replace(january, quarter="B", released="03/20/2027", factor="33.5000", qualifying_factor="33.8000")
    back = replace(january, quarter="D", released="08/26/2027").write(tmp_path / "october")
    for files, since in ((with_localities(january, tmp_path), None), (april.write(tmp_path / "april"), date(2027, 3, 9))):
        write_seeds(
            plan_loading(files, seeds=before_year(seeds, 2027) if since is None else seeds, effective_from=since),
            seeds / "reference",
        )

    text = refused(*back, seeds=seeds)
    assert "32.8409 is not the factor of 2027 (33.5000" in text and "--effective-from" in text
    revised = replace(april, released="04/20/2027", factor=january.factor, qualifying_factor=january.qualifying_factor)
    assert "--effective-from" in refused(*revised.write(tmp_path / "revised"), seeds=seeds)

    loading = plan_loading(back, seeds=seeds, effective_from=date(2027, 10, 1))
    assert factors_of(loading) == [("32.8409", "2027-10-01", "RVU27D"), ("33.1693", "2027-10-01", "RVU27D")]
    office = [change for change in loading.amounts if (change.procedure_code, change.amount) == ("99490", "office")]
    assert office == [AmountChange("99490", date(2027, 10, 1), "office", Decimal("66.33"), Decimal("65.02"))]
    write_seeds(loading, seeds / "reference")
    assert plan_loading(back, seeds=seeds, effective_from=date(2027, 10, 1)).is_empty, "given again it adds nothing"
    july = replace(april, quarter="C", released="06/30/2027").write(tmp_path / "july")
    assert factors_of(plan_loading(july, seeds=seeds)) == [], "its quarter has that factor"


def test_an_older_quarter_loaded_late_may_have_the_factor_that_a_newer_one_replaced(seeds, tmp_path):
    newer = october(factor="34.0000", qualifying_factor="34.2000").write(tmp_path)
    write_seeds(plan_loading(newer, seeds=seeds, effective_from=date(2026, 1, 1)), seeds / "reference")
    april = october(quarter="B", released="03/31/2026").write(tmp_path / "april")
    # That of the release before it, though not the one by which its quarter is priced now.
    july = october(quarter="C", released="06/30/2026").write(tmp_path / "july")
    for files in (july, april):
        loading = plan_loading(files, seeds=seeds)
        assert factors_of(loading) == loading.amounts == []


def test_the_january_file_of_a_year_whose_later_files_came_first_prices_the_days_before_them(seeds, tmp_path):
    later = replace(january_2027(), quarter="B", released="03/20/2027")
    write_seeds(
        plan_loading(with_localities(later, tmp_path), seeds=before_year(seeds, 2027), effective_from=date(2027, 4, 1)),
        seeds / "reference",
    )
    january = plan_loading(with_localities(january_2027(), tmp_path / "january"), seeds=seeds)
    assert factors_of(january) == [("32.8409", "2027-01-01", "RVU27A"), ("33.1693", "2027-01-01", "RVU27A")]
    assert january.lacks == [] and {change.service_date for change in january.amounts} == {date(2027, 1, 1)}


def test_the_law_of_march_2024_stays_dated_when_a_file_of_that_year_is_loaded(seeds, tmp_path):
    for quarter, factor in (("A", "32.7442"), ("B", "33.2875"), ("D", "33.2875")):
        rows = [ValueRow.of_seed(row) for row in of_year(RVUS, 2024)]
        loading = plan_loading(CmsRelease(2024, quarter, "01/02/2024", factor, rows).write(tmp_path), seeds=seeds)
        assert loading.additions[FACTORS] == [] and loading.amounts == []


def test_a_code_that_a_newer_release_no_longer_lists_keeps_its_price_and_is_told_of(seeds, tmp_path):
    release = october()
    release.rows = [row for row in release.rows if row.code != "G0019"]
    loading = plan_loading(release.write(tmp_path), seeds=seeds)
    assert any("no longer lists G0019" in notice for notice in loading.notices)


def test_a_claimable_code_that_is_no_longer_active_is_told_of(seeds, tmp_path):
    loading = plan_loading(with_row(october(), "99427", status="I").write(tmp_path), seeds=seeds)
    assert any("99427 has status I, not A" in notice for notice in loading.notices)


def test_a_year_that_no_release_covered_gets_prices_for_all_of_it(seeds, tmp_path):
    files = with_localities(january_2027(), tmp_path)
    loading = plan_loading(files, seeds=before_year(seeds, 2027))
    assert {change.before for change in loading.amounts} == {None}
    office = {c.procedure_code: c.after for c in loading.amounts if c.amount == "office"}
    assert office["99490"] == Decimal("65.02") and len(office) == 13
    assert len(loading.additions[GPCIS]) == len(loading.localities) == 109
    assert loading.lacks == []


def test_a_year_whose_files_did_not_all_come_is_told_to_have_no_price(seeds, tmp_path):
    values, indices = january_2027().write(tmp_path), write_gpcis(tmp_path, 2027, of_year(GPCIS, 2026))
    before_year(seeds, 2027)
    assert plan_loading(values, seeds=seeds).lacks == [
        "2027: no row of rule_gpcis yet, so nothing of the year has a price; load the GPCI file of 2027 too"
    ]
    (no_values, no_factor) = plan_loading([indices], seeds=seeds, release="RVU27A").lacks
    assert "no row of rule_rvus yet" in no_values and "no row of rule_conversion_factors yet" in no_factor
    late = plan_loading([*values, indices], seeds=seeds, effective_from=date(2027, 4, 1)).lacks
    assert len(late) == 3 and all("before 2027-04-01, so no earlier service date has a price" in lack for lack in late)


def test_the_shipped_years_lack_no_price(seeds, tmp_path):
    assert plan_loading(october().write(tmp_path), seeds=seeds).lacks == []


# --- what does not add up --------------------------------------------------------------------------------------------


def line_of(release: CmsRelease, code: str) -> int:
    return release.banner_rows + 2 + [row.code for row in release.rows].index(code)


@pytest.mark.parametrize(
    ("code", "figures", "column", "rule"),
    [
        ("99490", {"office_total": "1.99"}, "NON-FACILITY TOTAL", "1.99 is not 1.98, the sum of WORK, NON-FAC PE and MP"),
        ("99213", {"facility_total": "2.00"}, "FACILITY TOTAL", "2.00 is not 1.72, the sum of WORK, FACILITY PE and MP"),
        ("99439", {"work": "-0.70", "office_total": "0.11", "facility_total": "-0.48"}, "WORK RVU", "no figure with two decimals"),
        ("99439", {"work": "0.705"}, "WORK RVU", "'0.705' is no figure with two decimals"),
        (
            "99439",
            {"malpractice": " ", "office_total": "1.46", "facility_total": "0.87"},
            "MP RVU",
            "'' is no figure with two decimals",
        ),
        ("G0506", {"factor": "33.4090"}, "CONV FACTOR", "one file has one factor"),
        ("99484", {"status": ""}, "STATUS CODE", "is no status letter"),
    ],
)
def test_a_row_that_does_not_add_up_is_named_by_file_line_column_and_rule(code, figures, column, rule, tmp_path):
    release = with_row(october(), code, **figures)
    path, other = release.write(tmp_path)
    text = refused(path, other)
    assert f"{path}: line {line_of(release, code)}, column {column}: {code}: " in text
    assert rule in text


def test_a_code_that_stands_twice_is_refused(tmp_path):
    release = october()
    release.rows += [release.rows[3]]
    assert "stands twice in the file" in refused(*release.write(tmp_path))


def test_two_files_that_differ_in_more_than_the_factor_are_refused(tmp_path):
    plain, _ = october().write(tmp_path)
    _, qualifying = with_row(october(), "99213", work="1.31").write(tmp_path / "other")
    text = refused(plain, qualifying)
    assert f"{qualifying}: 99213 is not as in {plain}" in text


def test_swapped_names_are_seen_by_the_factor(tmp_path):
    assert "the names are swapped" in refused(*october(factor="33.5675", qualifying_factor="33.4009").write(tmp_path))


def test_from_2026_on_both_files_are_wanted(tmp_path):
    plain, qualifying = october().write(tmp_path)
    for alone in (plain, qualifying):
        assert "give both" in refused(alone)
    assert "give each file once" in refused(plain, plain)


def test_a_file_that_was_cut_off_is_refused(tmp_path):
    release = october()
    release.rows = [row for row in release.rows if row.code < "99489"]
    text = refused(*release.write(tmp_path))
    assert "has no row for 99489, 99490, 99491" in text and "cut off" in text and "end its rules first" in text


def without(code: str, **changes: object) -> CmsRelease:
    release = replace(january_2027(), **changes)
    return replace(release, rows=[row for row in release.rows if row.code != code])


def test_a_file_without_a_code_whose_rules_have_ended_is_taken(seeds, tmp_path):
    with_dates(before_year(seeds, 2027), "99427", effective_to="2026-12-31")
    loading = plan_loading(without("99427").write(tmp_path), seeds=seeds)
    assert "99427" not in {row["procedure_code"] for row in loading.additions[RVUS]}
    assert {change.procedure_code for change in loading.amounts} >= {"99490", "99426"}


def test_a_file_that_lacks_a_code_whose_rules_end_later_in_its_year_is_refused(seeds, tmp_path):
    with_dates(before_year(seeds, 2027), "99437", effective_to="2027-06-30")
    assert "has no row for 99437, which the rules claim from 2027-01-01 to 2027-03-31" in refused(
        *without("99437").write(tmp_path), seeds=seeds
    )
    july = without("99437", quarter="C", released="06/30/2027").write(tmp_path / "july")
    (lack,) = plan_loading([*july, write_gpcis(tmp_path, 2027, of_year(GPCIS, 2026))], seeds=seeds).lacks
    assert "99437 has no price on 2027-01-01" in lack, "the January file is to be loaded too"


def test_a_file_before_the_quarter_in_which_a_code_begins_is_taken_and_the_code_told_of(seeds, tmp_path):
    with_dates(before_year(seeds, 2027), "99437", effective_from="2027-07-01")
    (lack,) = plan_loading(with_localities(without("99437"), tmp_path), seeds=seeds).lacks
    assert "99437 has no price on 2027-07-01" in lack
    july = without("99437", quarter="C", released="06/30/2027").write(tmp_path / "july")
    assert "has no row for 99437, which the rules claim from 2027-07-01 to 2027-09-30" in refused(*july, seeds=seeds)


def test_another_layout_is_refused_by_its_stacked_labels(tmp_path):
    header = list(HEADER)
    header[5], header[10] = "UNITS", "UNITS"
    text = refused(*october(header=header).write(tmp_path))
    assert "column 6: the header reads 'WORK UNITS', not 'WORK RVU': the layout is another one" in text


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (lambda text: text.replace("RELEASED 08/26/2026", "RELEASED soon"), "no banner row says 'RELEASED"),
        (lambda text: text.replace("October Release", "July Release"), "the name of the file says otherwise"),
        (lambda text: text.replace("National Physician", "Regional Physician"), "so the release is not known"),
        (lambda text: text.replace("HCPCS,MOD", "CODE,MOD"), "neither a PPRRVU nor a GPCI file"),
        (lambda text: text.replace(",\"Made-up wörds, 99490,", ',"Made-up wörds 99490,'), None),
        (lambda text: text.replace('"Made-up wörds, 99490, 1 cal mo"', "Made-up wörds, 99490, 1 cal mo"), "the row has 34 columns"),
    ],
)  # fmt: skip
def test_a_banner_or_row_of_another_form_is_refused(changed: Callable[[str], str], message: str | None, tmp_path):
    files = october().write(tmp_path)
    for path in files:
        path.write_bytes(changed(path.read_bytes().decode()).encode())
    if message is None:
        assert not plan_loading(files).is_empty
    else:
        assert message in refused(*files)


# --- localities ------------------------------------------------------------------------------------------------------


def gpcis(tmp_path: Path, change: Callable[[dict[str, str]], dict[str, str] | None], **options: str) -> Path:
    changed = [row for row in map(change, map(dict, of_year(GPCIS, 2026))) if row]
    return write_gpcis(tmp_path, 2026, changed, **options)


def test_a_change_of_one_locality_shows_in_the_dollars_of_that_one(tmp_path):
    path = gpcis(tmp_path, lambda row: {**row, "pe_gpci": "1.500"} if row["state"] == "AL" else row)
    loading = plan_loading([path], release="RVU26C")
    assert [(change.state, change.service_date) for change in loading.localities] == [("AL", date(2026, 1, 1))]
    assert loading.amounts == []
    assert {row["locality"] for row in loading.additions[GPCIS] if row["mac"] == "10112"} == {"00"}, "leading zeros"


@pytest.mark.parametrize(
    ("state", "figures", "message"),
    [
        ("AK", {"work_gpci": "1.499"}, "1.499 is under Alaska's statutory floor of 1.5"),
        ("ND", {"pe_gpci": "0.999"}, "0.999 is under the frontier states' statutory floor of 1.0"),
        ("AL", {"work_gpci": "0.999"}, "0.999 is under the floor of 1.0 that the header promises"),
        ("AL", {"locality": "0"}, "'0' is not two digits with their leading zeros"),
        ("AL", {"mac": "1112"}, "'1112' is not five digits with their leading zeros"),
        ("AL", {"pe_gpci": "0.8901"}, "is no index with three decimals"),
    ],
)
def test_a_locality_under_its_floor_or_without_its_zeros_is_refused(state, figures, message, tmp_path):
    path = gpcis(tmp_path, lambda row: {**row, **figures} if row["state"] == state else row)
    text = refused(path, release="RVU26C")
    line = 4 + [row["state"] for row in of_year(GPCIS, 2026)].index(state)
    assert f"{path}: line {line}, column " in text and message in text


def test_without_the_work_floor_in_its_header_a_file_may_go_below_it(tmp_path):
    path = gpcis(
        tmp_path,
        lambda row: {**row, "work_gpci": "0.980"} if row["state"] == "AL" else row,
        work_label="2026 PW GPCI (without 1.0 Floor)",
    )
    loading = plan_loading([path], release="RVU26C")
    assert {row["citation"] for row in loading.additions[GPCIS]} == {"CMS GPCI2026 (RVU26C), no work floor"}


def test_missing_and_double_localities_are_refused(tmp_path):
    text = refused(gpcis(tmp_path, lambda row: None if row["state"] == "AL" else row), release="RVU26C")
    assert "108 localities, not 109 (missing: 10112 AL 00" in text
    twice = [*of_year(GPCIS, 2026), of_year(GPCIS, 2026)[0]]
    assert "stand twice in the file" in refused(write_gpcis(tmp_path, 2026, twice), release="RVU26C")
    fewer = gpcis(tmp_path, lambda row: None if row["state"] == "AL" else row)
    assert any(
        "localities gone: 10112 AL 00" in notice for notice in plan_loading([fewer], release="RVU26C", localities=108).notices
    )


def test_a_gpci_file_alone_needs_its_release_named(tmp_path):
    path = gpcis(tmp_path, lambda row: row)
    assert "name it with --release RVU26<A-D>" in refused(path)
    assert "is of 2026" in refused(path, release="RVU25D")


# --- the command -----------------------------------------------------------------------------------------------------


def ccm(*arguments: str, home: Path) -> Ran:
    return warm(ccm_in_july, "ccm", *arguments, home=home)


def test_the_command_shows_first_and_writes_when_asked(tmp_path):
    files = [str(path) for path in with_row(october(), "99490", office="0.95").write(tmp_path)]
    before = {path.name: path.read_bytes() for path in (DBT_PROJECT / "seeds" / "reference").iterdir()}

    shown = ccm("rules", "load-fees", *files, home=tmp_path / "home")
    assert shown.code == 0, shown.err
    assert "$66.13" in shown.out and "$67.47" in shown.out and "rule_rvus: 81 rows to add" in shown.out
    assert "Nothing is written" in shown.err

    there = ccm("rules", "load-fees", *files, "--out", str(tmp_path / "seeds"), "--json", home=tmp_path / "home")
    assert there.code == 0, there.err
    report = json.loads(there.out)
    assert report["rows_added"] == {RVUS: 81, GPCIS: 0, FACTORS: 0, FILES: 2}
    assert {change["after"] for change in report["amounts"]} == {"67.47", "67.81"}
    with (tmp_path / "seeds" / f"{RVUS}.csv").open(newline="") as handle:
        assert sum(row["release"] == "RVU26D" for row in csv.DictReader(handle)) == 81
    assert {path.name: path.read_bytes() for path in (DBT_PROJECT / "seeds" / "reference").iterdir()} == before


def test_the_dollars_that_change_are_shown_in_whole_on_a_narrow_screen_or_in_a_pipe(seeds, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(rules, "out", Screen(width=80))
    rules._print_loading(plan_loading(with_localities(january_2027(), tmp_path), seeds=before_year(seeds, 2027)))
    shown = capsys.readouterr().out
    assert "office, qualifying participant" in shown and "$141.87" in shown and "…" not in shown


def test_the_command_refuses_without_a_traceback_and_writes_nothing(tmp_path):
    files = [str(path) for path in with_row(october(), "99490", office_total="9.99").write(tmp_path)]
    ran = ccm("rules", "load-fees", *files, "--out", str(tmp_path / "seeds"), home=tmp_path / "home")
    assert ran.code == 1 and "Traceback" not in ran.err
    assert "column NON-FACILITY TOTAL: 99490: 9.99 is not 1.98" in ran.err
    assert not (tmp_path / "seeds").exists()


# --- the years that come with the project ----------------------------------------------------------------------------


@pytest.mark.skipif(not REFERENCE.exists(), reason="../shared is not beside the checkout")
@pytest.mark.parametrize("year", ["2024", "2025", "2026"])
def test_the_shipped_years_are_the_reference_figures(year):
    with (REFERENCE / "mpfs_care_management_2019_2026.csv").open(encoding="utf-8", newline="") as handle:
        figures = {row["hcpcs"]: row for row in csv.DictReader(handle) if row["year"] == year and not row["mod"]}
    shipped = {row["procedure_code"]: row for row in of_year(RVUS, year)}
    assert shipped.keys() == figures.keys()
    for code, row in figures.items():
        for column, name in (
            ("work_rvu", "work_rvu"), ("nonfacility_pe_rvu", "nonfac_pe_rvu"), ("facility_pe_rvu", "fac_pe_rvu"), ("malpractice_rvu", "mp_rvu"),
        ):  # fmt: skip
            assert Decimal(shipped[code][column]) == Decimal(row[name]), (code, column)
        assert shipped[code]["status_code"] == row["status"], code
    with (REFERENCE / "gpci_2019_2026.csv").open(encoding="utf-8", newline="") as handle:
        indices = {(row["mac"], row["state"], row["locality"]): row for row in csv.DictReader(handle) if row["year"] == year}
    localities = {(row["mac"], row["state"], row["locality"]): row for row in of_year(GPCIS, year)}
    assert localities.keys() == indices.keys() and len(indices) == 109
    for key, row in indices.items():
        for column, name in (("work_gpci", "work_gpci"), ("pe_gpci", "pe_gpci"), ("malpractice_gpci", "mp_gpci")):
            assert Decimal(localities[key][column]) == Decimal(row[name]), (key, column)
