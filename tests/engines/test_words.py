"""The models are written once, in DuckDB's words; what Spark is told means the same. By sqlglot alone: `make spark` runs it."""

from __future__ import annotations

import os
import re

import pytest

from orchestration.house import House, HouseError
from orchestration.transform import compiled
from orchestration.transform.build import ENGINE, is_on_spark
from orchestration.transform.spark import build, session
from orchestration.transform.spark.dialect import spoken, translated


def said(sql: str) -> str:
    """One line, as Spark is told."""
    return re.sub(r"\s+", " ", translated(sql)).strip()


def test_every_model_has_a_counterpart_without_words_that_spark_does_not_know():
    functions = "READ_PARQUET|TIMEZONE|LIST|UNNEST|LIST_AGGREGATE|TO_SECONDS|REGEXP_FULL_MATCH|READ_CSV|FORMAT"
    foreign = rf"\b({functions})\s*\(|\bQUALIFY\b|\bMATERIALIZED\b|\bREPLACE \("
    left = {name for name, model in compiled.models().items() if re.search(foreign, said(model.sql))}
    assert not left
    # The one place with two statements for two engines (macros/spark.sql).
    assert {name for name, model in compiled.models().items() if "UNION ALL BY NAME" in said(model.sql)} == {"stg_files"}


def test_every_model_with_json_is_written_again_by_the_engine_that_proves_packets():
    assert {name for name, model in compiled.models().items() if "to_json(" in model.sql} <= set(build.WRITE_JSON)


def test_a_list_keeps_nulls_and_its_order_and_is_null_of_no_row():
    told = said("select list(x order by y desc, z) from t")
    assert "COLLECT_LIST(STRUCT(y AS k0, z AS k1, x AS v))" in told
    assert "WHEN l.k0 < r.k0 THEN 1" in told and "WHEN l.k1 < r.k1 THEN -1" in told
    assert told.count("WHEN r.k0 IS NULL AND NOT l.k0 IS NULL THEN -1") == 1
    assert re.match(r"SELECT IF\( ?SIZE\(.*\) > 0, .*, NULL ?\) FROM t$", told)


def test_a_lists_filter_and_window_stay_with_the_aggregate():
    assert "COLLECT_LIST(STRUCT(x AS v)) FILTER(WHERE w)" in said("select list(x) filter (where w) from t")
    assert "TRANSFORM(COLLECT_LIST(STRUCT(x AS v)) OVER this_week, e -> e.v)" in said(
        "select list(x) over this_week from t window this_week as (order by d)"
    )
    assert "ARRAY_DISTINCT(" in said("select list(distinct x) from t")


def test_values_sorted_beside_their_places_are_taken_out_of_their_structs():
    told = said("select list_transform(list_sort(list({'place': p, 'value': v})), lambda one: one.value) from t")
    assert re.search(
        r"TRANSFORM\( ?ARRAY_SORT\(.*COLLECT_LIST\(STRUCT\(STRUCT\(p AS place, v AS value\) AS v\)\).*\), one -> one\.value ?\)",
        told,
    )


def test_whether_a_common_table_is_kept_is_left_to_the_engine():
    assert said("with a as materialized (select 1 as x), b as not materialized (from a) select x from b").startswith(
        "WITH a AS ( SELECT 1"
    )
    assert "MATERIALIZED" not in said("with b as not materialized (select 1 as x) select x from b")


def test_a_qualify_leaves_no_column_of_its_own_in_a_star():
    told = said("with a as (select 1 as x) select a.* from a qualify row_number() over (order by x) = 1 order by x")
    assert told.startswith("WITH a AS ( SELECT 1 AS x ) SELECT * EXCEPT (is_kept__) FROM ( SELECT a.*,")
    assert told.endswith("WHERE is_kept__ ORDER BY x NULLS LAST")


def test_nulls_come_last_where_nothing_is_said():
    assert "ORDER BY x NULLS LAST" in said("select row_number() over (order by x) from t")
    assert said("select x from t order by x desc").endswith("ORDER BY x DESC NULLS LAST") or said(
        "select x from t order by x desc"
    ).endswith("ORDER BY x DESC")  # which is where Spark has them then


def test_the_star_of_a_table_joined_by_names_keeps_the_order_of_its_columns():
    assert said("select 'a' as s, t.* from t join u using (k, l)").endswith("JOIN u ON t.k = u.k AND t.l = u.l")
    assert "USING (k)" in said("select k, x from t join u using (k)")


def test_wall_clocks_are_converted_between_two_zones_and_never_by_one():
    assert said("select timezone(z, timezone('UTC', at)) from t") == "SELECT CONVERT_TIMEZONE('UTC', z, at) FROM t"
    assert "CONVERT_TIMEZONE('UTC', z, CONVERT_TIMEZONE(z, 'UTC', day) - INTERVAL '1' HOUR)" in said(
        "select timezone(z, timezone('UTC', timezone('UTC', timezone(z, day)) - interval 1 hour)) from t"
    )
    with pytest.raises(ValueError, match="stands alone"):
        translated("select timezone(z, at) from t")


def test_division_is_floating_point_and_is_rounded_in_floating_point():
    assert said("select a / b from t") == "SELECT CAST(a AS DOUBLE) / b FROM t"
    told = said("select cast(a / nullif(b, 0) as decimal(7, 4)) from t")
    assert "ROUND((" in told and "CAST(10000 AS DOUBLE), 0) AS DECIMAL(28, 0)" in told
    # Decimals are exact on both.
    assert said("select cast(round(a * b, 2) as decimal(12, 2)) from t") == "SELECT CAST(ROUND(a * b, 2) AS DECIMAL(12, 2)) FROM t"


def test_a_tuple_is_looked_for_among_columns():
    assert said("select 1 from t where (a, b) in (select (c, d) from u)").endswith("(a, b) IN ( SELECT c, d FROM u )")


def test_the_end_of_a_text_is_its_end_and_not_a_line_break_before_it():
    assert said("select regexp_matches(x, '^[12]$') from t") == r"SELECT x RLIKE '^[12]\\z' FROM t"
    assert said("select regexp_full_match(x, 'a|b') from t") == r"SELECT x RLIKE '^(?:a|b)\\z' FROM t"


def test_the_highest_bit_is_counted_and_not_calculated():
    assert said("select floor(log2(x)) from t") == "SELECT ( LENGTH(BIN(x)) - 1 ) FROM t"


def test_elements_past_the_end_are_null():
    assert said("select l[1], l[:5], len(l) from t") == "SELECT GET(l, 0), SLICE(l, 1, 5), SIZE(l) FROM t"


def test_files_of_the_lake_are_one_pattern():
    assert said("select * from read_parquet('/home/lake/batches/*/files.parquet') as f").endswith(
        "FROM parquet.`/home/lake/batches/*/files.parquet` AS f"
    )
    assert said("select * from read_parquet(['s3://b/1.parquet', 's3://b/2.parquet'])").endswith(
        "FROM parquet.`{s3a://b/1.parquet,s3a://b/2.parquet}`"
    )


def test_only_what_asks_for_rows_is_translated():
    for own in (
        "show tables in staging like '*'",
        "drop table if exists a.b",
        "insert into a select 1 // 2 from values (1) as g (x)",
    ):
        assert spoken(own) == own
    assert spoken('/* {"app": "dbt"} */\nselect len(x) from t').strip().startswith("SELECT")
    made = spoken('/* {"app": "dbt"} */\n\n    create table marts.claims using parquet as\n select list(x) from t')
    assert "create table marts.claims using parquet as" in made and "COLLECT_LIST" in made


def test_what_results_rest_on_is_no_setting_of_the_operator(tmp_path, monkeypatch):
    given = tmp_path / "spark.conf"
    given.write_text(
        "# a cluster\nspark.master spark://cluster:7077\nspark.sql.session.timeZone Europe/Berlin\nspark.sql.ansi.enabled false\n"
    )
    monkeypatch.setenv(session.SETTINGS, str(given))
    found = session.settings(House(tmp_path))
    assert found["spark.master"] == "spark://cluster:7077"
    assert found["spark.sql.session.timeZone"] == "UTC" and found["spark.sql.ansi.enabled"] == "true"
    given.write_text("spark.master\n")
    with pytest.raises(HouseError, match=r"line 1 of .* is no key and value"):
        session.settings(House(tmp_path))


def test_an_encrypted_home_is_refused_before_spark_is_started(tmp_path, monkeypatch):
    monkeypatch.setenv("CCM_ENCRYPTION_KEY", "k" * 40)
    with pytest.raises(HouseError, match="Spark cannot read an encrypted home"):
        session.start(House(tmp_path))
    assert not session.folder(House(tmp_path)).exists()


def test_an_engine_that_is_none_is_said_and_not_taken_for_one(monkeypatch):
    monkeypatch.setenv(ENGINE, "sparc")
    with pytest.raises(HouseError, match="neither duckdb nor spark"):
        is_on_spark()
    monkeypatch.delenv(ENGINE)
    assert not is_on_spark() and ENGINE not in os.environ
