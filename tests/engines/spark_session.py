"""Expressions over a grid of values on both engines, and what is told of a failure; prints one line of JSON. Called by spark_home.py."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import duckdb

from orchestration.house import House
from orchestration.transform.spark import build, session
from orchestration.transform.spark.dialect import translated

ZONES = (
    "America/New_York",
    "America/Los_Angeles",
    "Pacific/Honolulu",
    "America/Havana",
    "America/Asuncion",
    "Asia/Beirut",
    "Africa/Cairo",
)
FIRST_INSTANT = """case
    when timezone(zone, timezone('UTC', timezone('UTC', timezone(zone, cast(day as timestamp))) - interval 1 hour)) = cast(day as timestamp)
        then timezone('UTC', timezone(zone, cast(day as timestamp))) - interval 1 hour
    else timezone('UTC', timezone(zone, cast(day as timestamp)))
end"""
# Over `ratios` (a, b: whole numbers; m, n: decimal(12, 2)).
OF_RATIOS = (
    "cast(a / b as decimal(7, 4))",
    "cast(a / b as decimal(9, 1))",
    "round(a / b, 2)",
    "round(m * n / b, 2)",
    "cast(m / b as decimal(12, 4))",
    "cast(round(cast(a / b as double), 1) as decimal(9, 1))",
    "cast(round(m * n, 2) as decimal(12, 2))",
    "a // b",
    "-a // b",
    "cast(a * m as decimal(12, 2))",
    "cast(cast(round_even(100 * a / b, 0) as bigint) as varchar) || '%'",
    "cast(floor(log2(a * b)) as integer)",
    "m || ' x ' || a",
    "sha256(concat_ws(chr(31), 'é', cast(m as varchar), null, cast(a as varchar)))",
    "md5(concat_ws('|', m, a))",
    "(cast(1 as bigint) << cast(a % 31 as integer)) - 1",
    "~cast(a as bigint) & 255",
    "list_aggregate([a / b, null, m / b, 0], 'median')",
    "list_aggregate([a, null], 'count')",
)
# Over `days` (zone, day).
OF_DAYS = (
    FIRST_INSTANT,
    "timezone(zone, timezone('UTC', cast(day as timestamp) + interval 90 minute))",
    "strftime(day, ':%Y-%m')",
    "cast(day + interval 1 month as date)",
    "cast(date_trunc('month', day) as date)",
    "date_diff('day', date '2020-02-29', day)",
    "cast(day as varchar)",
    "day - 13",
    "date_diff('second', cast(day as timestamp), timestamp '2026-01-01 00:00:01')",
    "cast(day + interval 1 month - interval 1 day as date)",
    "day + interval 1 year * cast(1 as integer) >= date '2024-02-29'",
)
# Over `words` (w, k).
OF_WORDS = (
    "coalesce(regexp_matches(w, '^[12][0-9]{9}$'), false)",
    "regexp_full_match(w, '[A-Za-z][A-Za-z0-9_ .-]{0,40}')",
    "regexp_replace(lower(trim(w)), '[ _-]+', ' ', 'g')",
    "w like 'medicare\\_%' escape '\\'",
    "w like 'not a %'",
    "substr(w, 2, 3)",
    "left(w, 2)",
    "w || '!'",
    "sha256(w)",
    "starts_with(w, 'a')",
    "try_cast(w as integer)",
    "replace(w, 'a', '{}')",
    "w is distinct from 'a'",
)
AGGREGATES = (
    "select k, list(w order by w desc, n) as v from words group by k",
    "select k, list_sort(list(distinct w)) as v from words group by k",
    "select k, list(w) filter (where n > 99) as v from words group by k",
    "select k, string_agg(distinct w, ', ' order by w) as v from words group by k",
    "select k, any_value(w order by n) as v from words group by k",
    "select k, min_by(w, (n, w)) as v from words group by k",
    "select k, median(n / 3) as v from words group by k",
    "select n as k, sha256(cast(list(case when n <> 5 then sha256(w) end) over (order by n rows 2 preceding) as varchar)) as v from words",
    "select n as k, median(n / 7) over (partition by k order by d range between interval 9 day preceding and interval 1 day preceding) as v from words",
    "select * from (select k, w as v, n from words qualify row_number() over (partition by k order by w, n desc) = 1)",
    "select k, cast(unnest_here as varchar) as v from (select k, unnest(range(0, n)) as unnest_here from words)",
    "select k, n as v from words where (k, w) in (select (k, w) from words where n > 3) and w is not null",
)


def grid(con: duckdb.DuckDBPyConnection, folder: Path) -> None:
    con.execute(
        "create table ratios as select a, b, cast(a * 1.37 as decimal(12, 2)) as m, cast(b / 7 as decimal(12, 2)) as n "
        "from (select unnest(range(1, 400)) as a) cross join (select unnest(range(1, 131)) as b)"
    )
    con.execute(
        "create table days as select zone, cast(day as date) as day from (select unnest(?) as zone) "
        "cross join (select unnest(generate_series(date '2018-01-01', date '2024-12-31', interval 1 day)) as day)",
        [list(ZONES)],
    )
    words = [
        "a",
        "A b_c--d",
        "1234567890",
        "1234567890\n",
        "ünïcödé",
        "",
        "not a date",
        "medicare_part_b",
        "it's",
        'a"b\\c',
        "12",
        " 7 ",
        None,
    ]
    con.execute(
        "create table words as select w, n, n % 3 as k, date '2026-01-01' + cast(n as integer) as d "
        "from (select unnest(?) as w, unnest(range(0, ?)) as n)",
        [words, len(words)],
    )
    for name in ("ratios", "days", "words"):
        con.execute(f"copy {name} to '{folder / name}.parquet'")


def main(folder: Path) -> None:
    house = House(folder / "home").prepare()
    batch = house.lake / "batches" / "000000"
    batch.mkdir(parents=True)
    con = duckdb.connect()
    con.execute("set TimeZone = 'UTC'")
    con.execute(f"copy (select 1 as file_id, 'x' as practice_id) to '{batch / 'files.parquet'}'")
    grid(con, folder)
    spark = session.start(house)
    for name in ("ratios", "days", "words"):
        spark.read.parquet(str(folder / f"{name}.parquet")).createOrReplaceTempView(name)
    queries = [f"select {keys}, {one} as v from {name}" for name, keys, expressions in (
        ("ratios", "a, b", OF_RATIOS), ("days", "zone, day", OF_DAYS), ("words", "w, n", OF_WORDS)) for one in expressions]  # fmt: skip
    different = []
    for query in [*queries, *AGGREGATES]:
        expected = sorted(map(repr, con.execute(query).fetchall()))
        found = sorted(repr(tuple(row)) for row in spark.sql(translated(query)).collect())
        if expected != found:
            apart = [pair for pair in zip(expected, found, strict=False) if pair[0] != pair[1]]
            different.append([query, len(apart) or len(expected) - len(found), *map(str, apart[:3])])
    said = {}
    for key, sql in (("told", "select cast(w as date) from values ('Zebra') as t (w)"), ("unknown", "select no_such from words")):
        try:
            spark.sql(sql).collect()
        except Exception as error:
            said[key] = build.told(error)
    columns = set(session.ledger(spark, house).columns)
    assert {"missing_columns", "rows_filtered"} <= columns
    print(json.dumps({**said, "expressions": len(queries) + len(AGGREGATES), "different": different}))
    spark.stop()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
