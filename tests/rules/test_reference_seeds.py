"""The reference seeds as they are committed: no warehouse, no shared folder, plain CSV.

Expected amounts are typed in from rules.md 4.1 and 4.2, so a slip of one RVU or one factor shows as a cent.
"""

import csv
import re
from collections import defaultdict
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal
from functools import cache
from itertools import pairwise, product
from pathlib import Path

import pytest
import yaml

REFERENCE = Path(__file__).parents[2] / "dbt_project" / "seeds" / "reference"
KEYS = {
    "rule_rvus": ("procedure_code", "release"),
    "rule_gpcis": ("mac", "state", "locality", "release"),
    "rule_conversion_factors": ("qualifying_apm_participant", "release"),
    "rule_fee_files": ("release", "file_name", "sha256"),
    "rule_facility_places": ("place_of_service",),
    "rule_condition_groups": ("condition_group",),
    "rule_condition_prefixes": ("condition_group", "icd10_prefix"),
    "rule_ccir_chronic_codes": ("icd10_code",),
    "rule_icd10_categories": ("icd10_code",),
    "rule_snomed_to_icd10cm": ("snomed_code",),
}
YEARS = ("2024", "2025", "2026")

# rules.md 4.1: code, non-facility, the same for a qualifying participant, facility (None: no price in a facility)
NATIONAL_2026 = [
    ("99490", "66.13", "66.46", "43.76"),
    ("99439", "50.44", "50.69", "30.73"),
    ("99487", "144.29", "145.01", "79.16"),
    ("99489", "78.16", "78.55", "43.76"),
    ("99491", "89.18", "89.63", "65.47"),
    ("99437", "63.13", "63.44", "43.76"),
    ("G0506", "66.47", "66.80", "38.41"),
    ("99424", "87.51", "87.95", "64.80"),
    ("99425", "61.46", "61.76", "44.09"),
    ("99426", "67.80", "68.14", "44.09"),
    ("99427", "54.11", "54.38", "31.40"),
    ("G0556", "16.37", "16.45", "11.02"),
    ("G0557", "53.78", "54.04", "33.73"),
    ("G0558", "117.24", "117.82", "72.81"),
    ("G0568", "161.66", "162.47", "81.83"),
    ("G0569", "145.96", "146.69", "89.85"),
    ("G0570", "57.78", "58.07", "38.75"),
    ("99457", "51.77", "52.03", "26.39"),
    ("99484", "57.45", "57.74", "38.75"),
    ("99495", "220.11", "221.21", "122.25"),
    ("99496", "298.60", "300.09", "166.34"),
    ("G0181", "109.89", "110.44", None),
    ("G0182", "108.55", "109.09", None),
    ("99214", "135.61", "136.28", "84.50"),
    ("G0402", "174.69", "175.56", "114.23"),
    ("G0438", "174.35", "175.22", None),
    ("G0439", "137.61", "138.30", None),
]
# rules.md 4.2
NATIONAL_2025 = [
    ("99490", "60.49"),
    ("99439", "45.93"),
    ("99487", "131.65"),
    ("99489", "70.52"),
    ("99491", "82.16"),
    ("99437", "57.58"),
    ("99427", "50.46"),
    ("G3002", "80.22"),
    ("99484", "53.05"),
    ("99495", "201.20"),
    ("99496", "272.68"),
    ("G0019", "77.96"),
    ("G0556", "15.20"),
    ("G0557", "48.84"),
    ("G0558", "107.07"),
    ("99453", "19.73"),
    ("99457", "47.87"),
]

# rules.md B6.1, typed again; what it leaves open (`most`, `many`) is settled by the CCW list below
PREFIXES = {
    "acute_myocardial_infarction": "I21-I23",
    "alzheimers_disease": "G30",
    "anemia": "D50-D53 D55-D58 D590-D596 D598-D599 D60 D61 D63 D64 D46 D474 C946 D7581",
    "asthma": "J45",
    "atrial_fibrillation": "I48",
    "benign_prostatic_hyperplasia": "N400-N403",
    "breast_cancer": "C50 D05 Z170 Z171 Z191 Z192 Z853 Z86000",
    "colorectal_cancer": "C18 C19 C20 C49A4 C49A5 D010-D012 Z8503 Z8504",
    "endometrial_cancer": "C54 D070 Z8542",
    "lung_cancer": "C34 D022 Z8511",
    "prostate_cancer": "C61 D075 Z8546",
    "urologic_cancer": "C64 C65 C66 C688 C689 D091 Z8552-Z8554 Z8559",
    "cataract": "H25 H26 Q120 E{08,09,10,11,13}36",
    "chronic_kidney_disease": (
        "N18 N01-N08 N14-N16 N251 N2589 N259 N261 N269 N990 Q61 I12 I13 E{08,09,10,11,13}{21,22,29} M103 M3214 M3215 M3504 M350A "
        "A1811 A5275 B520 K767"
    ),
    "chronic_obstructive_pulmonary_disease": "J40-J44 J47 J982 J983",
    "depression": "F31-F33 F340 F341 F0631 F0632 F4321 F4323",
    "diabetes": "E{08,09,10,11,13}",
    "glaucoma": "H40 H42 H4451 H4723 Q150",
    "heart_failure": "I50 I0981 I110 I130 I132 I420 I425-I428 I43 P290",
    "hip_pelvic_fracture": (
        "S720-S722 S323-S326 S328 S329 S790 M80{0,8}{51,52,59}A M84{3,5,6}50A M84{3,4,5,6}{51,52,53,59}A M9701 M9702"
    ),
    "hyperlipidemia": "E780-E785",
    "hypertension": "I10-I13 I15 I674 N262 H3503",
    "hypothyroidism": "E00 E018 E02 E03 E890",
    "ischemic_heart_disease": "I200 I201 I208 I24 I25",
    "non_alzheimers_dementia": "F015 F028 F039 F05 G138 G3101 G3109 G311 G312 G3183 G94 R4181",
    "osteoporosis": "M80 M81",
    "parkinsons_disease": "G20 G2111 G2119 G213 G214 G218 G219 G3183",
    "pneumonia": (
        "J12-J18 J09X1 J100 J110 J84111 J84116 J84117 J84178 J842 J200 J851 J95851 Z8701 "
        "A0103 A0222 A065 A202 A212 A221 A310 A3701 A3711 A3781 A3791 A403 A420 A430 A481 A5004 A5484 B012 B052 B0681 B371 B380 B382 "
        "B390 B392 B400 B402 B410 B583 B59 B664 B671 B7781 B953 B960 B961 P230-P236 P238 P239"
    ),
    "arthritis": "M05 M06 M08 M15-M19 M45 M468 M469 M47 M488 L405",
    "stroke": "G450-G453 G458 G459 G46 I60-I63 I6784 I6789 I9781 I9782 G973",
    "obesity": "E66",
    "hiv": "B20",
    "substance_use": "F10-F19",
    "schizophrenia": "F20 F25",
    "anxiety": "F40-F43",
    "peripheral_vascular_disease": "I70 I73",
    "epilepsy": "G40",
    "multiple_sclerosis": "G35",
    "liver_disease": "K70 K74",
    "autism": "F84",
    "sickle_cell_disease": "D57",
}
CCW = Path(__file__).parents[3] / "shared" / "data" / "reference" / "chronic" / "cms_ccw_chronic_conditions_icd10cm.csv"
CCW_NAMES = {
    "atrial_fibrillation_and_flutter": "atrial_fibrillation",
    "cancer_breast": "breast_cancer",
    "cancer_colorectal": "colorectal_cancer",
    "cancer_endometrial": "endometrial_cancer",
    "cancer_lung": "lung_cancer",
    "cancer_prostate": "prostate_cancer",
    "cancer_urologic_kidney_renal_pelvis_and_ureter": "urologic_cancer",
    "depression_bipolar_or_other_depressive_mood_disorders": "depression",
    "heart_failure_and_non_ischemic_heart_disease": "heart_failure",
    "osteoporosis_with_or_without_pathological_fracture": "osteoporosis",
    "parkinsons_disease_and_secondary_parkinsonism": "parkinsons_disease",
    "pneumonia_all_cause": "pneumonia",
    "rheumatoid_arthritis_osteoarthritis": "arthritis",
    "stroke_transient_ischemic_attack": "stroke",
}


@cache
def rows(seed: str) -> list[dict[str, str]]:
    with (REFERENCE / f"{seed}.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file, strict=True))


def in_force(row: dict[str, str], day: str) -> bool:
    return row["effective_from"] <= day <= (row["effective_to"] or "9999-12-31")


def the_one(found: list[dict[str, str]]) -> dict[str, str]:
    assert len(found) == 1
    return found[0]


def newest(found: list[dict[str, str]]) -> dict[str, str]:
    """Of the rows in force the one of the newest release; releases sort by age."""
    release = max((row["release"] for row in found), default=None)
    return the_one([row for row in found if row["release"] == release])


def rvus(code: str, day: str) -> dict[str, str]:
    return newest([row for row in rows("rule_rvus") if row["procedure_code"] == code and in_force(row, day)])


def national(code: str, day: str, *, facility: bool = False, qualifying: bool = False) -> Decimal:
    """Dollars of one unit with every GPCI 1."""
    factor = newest(
        [
            row
            for row in rows("rule_conversion_factors")
            if row["qualifying_apm_participant"] == str(qualifying).lower() and in_force(row, day)
        ]
    )
    row = rvus(code, day)
    pe = row["facility_pe_rvu" if facility else "nonfacility_pe_rvu"]
    amount = (Decimal(row["work_rvu"]) + Decimal(pe) + Decimal(row["malpractice_rvu"])) * Decimal(factor["conversion_factor"])
    return amount.quantize(Decimal("0.01"), ROUND_HALF_UP)


def groups(code: str, *, acute: bool = False) -> set[str]:
    """Condition groups of an ICD-10-CM code: those that count, or the acute ones."""
    wanted = {row["condition_group"] for row in rows("rule_condition_groups") if row["is_acute"] == str(acute).lower()}
    plain = code.replace(".", "").upper()
    return {row["condition_group"] for row in rows("rule_condition_prefixes") if plain.startswith(row["icd10_prefix"])} & wanted


def ccir(code: str) -> bool:
    return any(row["icd10_code"] == code.replace(".", "") for row in rows("rule_ccir_chronic_codes"))


# --- every seed ------------------------------------------------------------------------------------------------------


def test_every_seed_of_the_folder_is_known_here():
    assert {path.stem for path in REFERENCE.glob("*.csv")} == set(KEYS)


@pytest.mark.parametrize("seed", KEYS)
def test_a_seed_is_plain_text_with_snake_case_headers(seed):
    raw = (REFERENCE / f"{seed}.csv").read_bytes()
    assert raw.isascii() and b"\r" not in raw and raw.endswith(b"\n")
    for row in rows(seed):
        assert None not in row and None not in row.values(), f"a row with too many or too few fields: {row}"
        assert all(value == value.strip() for value in row.values()), row
    assert all(re.fullmatch(r"[a-z][a-z0-9_]*", name) for name in rows(seed)[0])


@pytest.mark.parametrize("seed", KEYS)
def test_every_row_is_cited_and_dated(seed):
    for row in rows(seed):
        assert row["citation"], row
        assert date.fromisoformat(row["effective_from"]), row
        assert not row["effective_to"] or row["effective_from"] <= row["effective_to"], row
        assert row.get("confidence", "source") in {"source", "knowledge", "doubtful"}, row


@pytest.mark.parametrize("seed", KEYS)
def test_dates_of_one_key_do_not_overlap(seed):
    periods = defaultdict(list)
    for row in rows(seed):
        periods[tuple(row[name] for name in KEYS[seed])].append((row["effective_from"], row["effective_to"] or "9999-12-31"))
    for key, spans in periods.items():
        for (_, end), (start, _) in pairwise(sorted(spans)):
            assert end < start, key


def test_yml_describes_and_types_every_column():
    seeds = {seed["name"]: seed for seed in yaml.safe_load((REFERENCE / "_reference.yml").read_text())["seeds"]}
    assert set(seeds) == set(KEYS)
    for name, seed in seeds.items():
        header = list(rows(name)[0])
        assert [column["name"] for column in seed["columns"]] == header
        assert list(seed["config"]["column_types"]) == header
        assert seed["description"] and all(column["description"] for column in seed["columns"])


def test_no_seed_carries_descriptors():
    """CPT descriptors are the AMA's: a table of codes has no column that could hold one."""
    words = {"citation", "name", "locality_name", "condition_group", "kind", "file_name", "sha256"}
    for seed in KEYS:
        for row in rows(seed):
            for column, value in row.items():
                assert column in words or len(value) <= 18, (seed, column, value)
                assert len(value) <= (96 if column == "locality_name" else 64), (seed, column, value)
    assert {row["citation"].split()[1][:6] for row in rows("rule_rvus")} == {"PPRRVU"}


# --- fee schedule ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("code", "office", "qualifying", "facility"), NATIONAL_2026)
def test_national_amounts_of_2026_come_out_to_the_cent(code, office, qualifying, facility):
    assert national(code, "2026-10-31") == Decimal(office)
    assert national(code, "2026-10-31", qualifying=True) == Decimal(qualifying)
    if facility:
        assert national(code, "2026-10-31", facility=True) == Decimal(facility)


@pytest.mark.parametrize(("code", "office"), NATIONAL_2025)
def test_national_amounts_of_2025_come_out_to_the_cent(code, office):
    assert national(code, "2025-06-30") == Decimal(office)
    assert national(code, "2025-06-30", qualifying=True) == Decimal(office)


def test_the_factor_of_2024_changed_on_the_ninth_of_march():
    assert national("99490", "2024-03-08") == Decimal("61.56")
    assert national("99490", "2024-03-09") == Decimal("62.58")


@pytest.mark.parametrize("qualifying", ["true", "false"])
def test_factors_leave_no_day_out(qualifying):
    periods = [
        (date.fromisoformat(row["effective_from"]), date.fromisoformat(row["effective_to"]))
        for row in rows("rule_conversion_factors")
        if row["qualifying_apm_participant"] == qualifying
    ]
    day, last = date(2024, 1, 1), max(end for _, end in periods)
    while day <= last:
        holding = [end for start, end in periods if start <= day <= end]
        assert holding, day
        day = max(holding) + timedelta(days=1)


def test_figures_have_the_decimals_cms_publishes():
    for row in rows("rule_rvus"):
        for column in ("work_rvu", "nonfacility_pe_rvu", "facility_pe_rvu", "malpractice_rvu"):
            assert re.fullmatch(r"\d+\.\d\d", row[column]), row
        assert re.fullmatch(r"[A-Z]", row["status_code"]) and re.fullmatch(r"RVU\d\d[A-D](R\d+)?", row["release"]), row
        assert re.fullmatch(r"\d{5}|[A-Z]\d{4}", row["procedure_code"]), row
        assert not row["released_on"] or date.fromisoformat(row["released_on"]), row
    for row in rows("rule_gpcis"):
        assert all(re.fullmatch(r"\d\.\d{3}", row[name]) for name in ("work_gpci", "pe_gpci", "malpractice_gpci")), row
    for row in rows("rule_conversion_factors"):
        assert re.fullmatch(r"\d\d\.\d{4}", row["conversion_factor"]), row


def test_every_claimable_code_has_a_price_in_every_year_it_existed():
    since = {"G0556": "2025", "G0557": "2025", "G0558": "2025"}
    ccm_and_pcm = ["99490", "99439", "99491", "99437", "99487", "99489", "99424", "99425", "99426", "99427"]
    for code in [*ccm_and_pcm, *since]:
        for year in YEARS:
            if year >= since.get(code, year):
                row = rvus(code, f"{year}-12-31")
                assert row["status_code"] == "A" and Decimal(row["work_rvu"]) > 0, row


@pytest.mark.parametrize(("release", "codes"), [("RVU24D", 73), ("RVU25D", 75), ("RVU26C", 81)])
def test_a_release_loses_no_code(release, codes):
    """A release may be loaded again with more codes; it is never thinned, though no program pays some of its codes yet."""
    assert len({row["procedure_code"] for row in rows("rule_rvus") if row["release"] == release}) >= codes


def test_every_release_that_prices_has_its_file_on_record():
    on_record = {(row["kind"], row["release"]) for row in rows("rule_fee_files")}
    assert {("gpcis", row["release"]) for row in rows("rule_gpcis")} <= on_record
    assert {("relative_values", row["release"]) for row in rows("rule_rvus")} <= on_record


@pytest.mark.parametrize("year", YEARS)
def test_each_year_has_109_localities(year):
    of_year = [row for row in rows("rule_gpcis") if in_force(row, f"{year}-07-01")]
    of_year = [row for row in of_year if row["release"] == max(row["release"] for row in of_year)]
    keys = {(row["mac"], row["state"], row["locality"]) for row in of_year}
    assert len(of_year) == len(keys) == 109
    assert all(re.fullmatch(r"\d{5}", mac) and re.fullmatch(r"[A-Z]{2}", st) for mac, st, _ in keys)
    assert all(re.fullmatch(r"\d\d", locality) for _, _, locality in keys)
    assert all(Decimal(row["work_gpci"]) >= 1 for row in of_year), "the statutory floor"
    alaska = the_one([row for row in of_year if row["state"] == "AK"])
    assert alaska["work_gpci"] == "1.500"


def test_localities_keep_their_leading_zeros():
    assert {row["locality"] for row in rows("rule_gpcis") if row["mac"] == "06102"} == {"12", "15", "16", "99"}
    assert any((row["mac"], row["locality"]) == ("10112", "00") for row in rows("rule_gpcis"))


def test_facility_places_are_those_of_the_rules():
    expected = [
        "02",
        "06",
        "08",
        "19",
        "21",
        "22",
        "23",
        "24",
        "26",
        "31",
        "34",
        "41",
        "42",
        "51",
        "52",
        "53",
        "56",
        "61",
    ]
    assert [row["place_of_service"] for row in rows("rule_facility_places")] == expected


# --- chronic conditions ----------------------------------------------------------------------------------------------


def test_groups_and_prefixes_name_each_other():
    named = {row["condition_group"] for row in rows("rule_condition_groups")}
    assert len(named) == 41
    assert named == {row["condition_group"] for row in rows("rule_condition_prefixes")}
    assert all(re.fullmatch(r"[a-z][a-z_]+", name) for name in named)


def test_prefixes_are_upper_case_without_a_dot():
    for row in rows("rule_condition_prefixes"):
        assert re.fullmatch(r"[A-Z]\d[0-9A-Z]{1,5}", row["icd10_prefix"]), row


def test_prefixes_of_a_group_do_not_repeat_each_other():
    prefixes = defaultdict(list)
    for row in rows("rule_condition_prefixes"):
        prefixes[row["condition_group"]].append(row["icd10_prefix"])
    for group, found in prefixes.items():
        assert not any(b.startswith(a) for a, b in pairwise(sorted(found))), group


def spelled_out(text: str) -> set[str]:
    """`I21-I23 M84{3,4}50A` as the prefixes it stands for."""
    found = set()
    for word in text.split():
        first, _, last = word.partition("-")
        choices = re.split(r"\{(.*?)\}", first)
        if last:
            width = len(first) - 1
            found |= {f"{first[0]}{number:0{width}d}" for number in range(int(first[1:]), int(last[1:]) + 1)}
        else:
            parts = [part.split(",") if place % 2 else [part] for place, part in enumerate(choices)]
            found |= {"".join(chosen) for chosen in product(*parts)}
    return found


@pytest.mark.parametrize("group", PREFIXES)
def test_the_prefixes_of_a_group_are_those_of_the_rules(group):
    assert {row["icd10_prefix"] for row in rows("rule_condition_prefixes") if row["condition_group"] == group} == spelled_out(
        PREFIXES[group]
    )


@pytest.mark.skipif(not CCW.exists(), reason="the specification's data are not beside this checkout")
def test_every_code_of_the_chronic_conditions_warehouse_falls_into_its_condition():
    with CCW.open(encoding="utf-8", newline="") as file:
        common = [
            row for row in csv.DictReader(file) if row["code_system"] == "ICD-10-CM" and row["chronic_condition_type"] == "Common"
        ]
    assert len({row["condition"] for row in common}) == 30
    for row in common:
        name = CCW_NAMES.get(row["condition_column_name"], row["condition_column_name"])
        assert name in groups(row["code"]) | groups(row["code"], acute=True), row


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("I13.2", {"hypertension", "chronic_kidney_disease", "heart_failure"}),
        ("I13.0", {"hypertension", "chronic_kidney_disease", "heart_failure"}),
        ("I13.10", {"hypertension", "chronic_kidney_disease"}),
        ("I11.0", {"hypertension", "heart_failure"}),
        ("I11.9", {"hypertension"}),
        ("I12.9", {"hypertension", "chronic_kidney_disease"}),
        ("I10", {"hypertension"}),
        ("E11.22", {"diabetes", "chronic_kidney_disease"}),
        ("E11.36", {"diabetes", "cataract"}),
        ("E11.9", {"diabetes"}),
        ("E11.65", {"diabetes"}),
        ("N18.31", {"chronic_kidney_disease"}),
        ("I50.22", {"heart_failure"}),
        ("D53.9", {"anemia"}),
        ("N40.1", {"benign_prostatic_hyperplasia"}),
        ("F14.20", {"substance_use"}),
        ("F19.10", {"substance_use"}),
        ("F41.1", {"anxiety"}),
        ("E66.9", {"obesity"}),
        ("B20", {"hiv"}),
        ("M80.051A", {"osteoporosis"}),  # a combination code: the osteoporosis lasts, the fracture does not count
        ("F01.511", {"non_alzheimers_dementia"}),  # later splits of a listed code
        ("G20.A1", {"parkinsons_disease"}),
        ("G31.83", {"non_alzheimers_dementia", "parkinsons_disease"}),
        ("I20.89", {"ischemic_heart_disease"}),
        ("J44.89", {"chronic_obstructive_pulmonary_disease"}),
        ("Z85.038", {"colorectal_cancer"}),
        ("I97.89", set()),  # not the stroke half of I97.8
        ("G45.4", set()),
        ("I16.0", set()),
        ("D29.1", set()),
    ],
)
def test_known_codes_fall_into_their_groups(code, expected):
    assert groups(code) == expected


@pytest.mark.parametrize(
    ("code", "group"),
    [
        ("I21.9", "acute_myocardial_infarction"),
        ("I22.0", "acute_myocardial_infarction"),
        ("I23.8", "acute_myocardial_infarction"),
        ("S72.001A", "hip_pelvic_fracture"),
        ("S32.9XXA", "hip_pelvic_fracture"),
        ("S79.001A", "hip_pelvic_fracture"),
        ("M84.550A", "hip_pelvic_fracture"),
        ("M97.01XA", "hip_pelvic_fracture"),
        ("J18.9", "pneumonia"),
        ("J10.00", "pneumonia"),
        ("J84.116", "pneumonia"),
        ("B37.1", "pneumonia"),
        ("Z87.01", "pneumonia"),
    ],
)
def test_acute_codes_count_for_nothing(code, group):
    assert groups(code, acute=True) == {group}
    assert groups(code) == set()


def test_there_are_three_acute_groups():
    acute = {row["condition_group"] for row in rows("rule_condition_groups") if row["is_acute"] == "true"}
    assert acute == {"acute_myocardial_infarction", "hip_pelvic_fracture", "pneumonia"}
    assert ccir("I21.9"), "CCIR calls it chronic; the acute group is what keeps it out"


@pytest.mark.parametrize("code", ["M10.9", "M32.9", "K50.90", "J84.112"])
def test_chronic_by_ccir_alone(code):
    assert groups(code) == groups(code, acute=True) == set()
    assert ccir(code)


def test_a_common_cold_is_chronic_nowhere():
    assert groups("J06.9") == groups("J06.9", acute=True) == set()
    assert not ccir("J06.9")


def test_ccir_holds_the_whole_chronic_list_once():
    codes = [row["icd10_code"] for row in rows("rule_ccir_chronic_codes")]
    assert len(codes) == len(set(codes)) == 12_934
    assert all(re.fullmatch(r"[A-Z]\d[0-9A-Z]{1,5}", code) for code in codes)


def test_categories_are_no_codes_and_since_when_that_is_known():
    found = {row["icd10_code"]: row["effective_from"] for row in rows("rule_icd10_categories")}
    chronic = {row["icd10_code"] for row in rows("rule_ccir_chronic_codes")}
    assert len(rows("rule_icd10_categories")) == len(found) == 1_127
    always = {code for code, since in found.items() if since == "2015-10-01"}
    assert {"E11", "I50", "J44", "M199", "F32"} <= always and not always & chronic
    # A code once, a category by the list of April 2026.
    assert found.keys() - always == {code for code, since in found.items() if since == "2026-04-01"} >= {"N183", "G35", "I481"}
    assert not {"I10", "E119", "N1830", "I509", "C61", "G309"} & found.keys()
    assert all(groups(category) or ccir(category) for category in found), "nobody would put it on a claim"


def test_snomed_map_gives_one_code_to_a_concept():
    found = rows("rule_snomed_to_icd10cm")
    assert len(found) == len({row["snomed_code"] for row in found}) == 273
    assert all(re.fullmatch(r"\d{6,18}", row["snomed_code"]) for row in found)
    assert all(re.fullmatch(r"[A-Z]\d[0-9A-Z]{1,5}", row["icd10_code"]) for row in found)


def test_an_initiating_visit_is_as_old_as_its_consent_may_be():
    # rules.md A2 knows no first day: CCM is paid since 2015, so a visit of 2014 is none too old.
    with (REFERENCE.parent / "rules" / "rule_initiating_visits.csv").open(newline="", encoding="utf-8") as file:
        found = list(csv.DictReader(file, strict=True))
    assert len(found) == 21 and all(row["effective_from"] <= "2014-01-01" for row in found)
