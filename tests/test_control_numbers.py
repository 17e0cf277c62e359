"""Control numbers: allocated once, never repeated, also under two closes at once and after a crash."""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor
from datetime import date
from multiprocessing import get_context
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from orchestration.close.control_numbers import allocate
from orchestration.close.in_common import InCommon
from orchestration.house import House


def take(arguments: tuple[str, int]) -> int:
    root, version = arguments
    return allocate(House(Path(root)), "SUB1", "lakeside", "2026-10", version)


def test_the_same_packet_finds_its_number_again_and_another_gets_the_next(tmp_path):
    house = House(tmp_path).prepare()
    assert allocate(house, "SUB1", "lakeside", "2026-10", 1) == 1
    assert allocate(house, "SUB1", "prairie", "2026-10", 1) == 2
    assert allocate(house, "SUB1", "lakeside", "2026-10", 1) == 1
    assert allocate(house, "SUB2", "lakeside", "2026-10", 1) == 1


def test_numbers_begin_where_the_configuration_says_and_never_go_back(tmp_path):
    house = House(tmp_path).prepare()
    assert allocate(house, "SUB1", "lakeside", "2026-10", 1, first=900_000_001) == 900_000_001
    assert allocate(house, "SUB1", "lakeside", "2026-10", 1) == 900_000_001
    assert allocate(house, "SUB1", "lakeside", "2026-10", 2, first=5) == 900_000_002
    assert allocate(house, "SUB1", "lakeside", "2026-11", 1, sent=900_000_007, first=900_000_001) == 900_000_008


def test_ids_that_differ_in_case_alone_are_one_submitter_also_where_each_had_a_file_of_its_own(tmp_path):
    house = House(tmp_path).prepare()
    assert allocate(house, "sub1", "lakeside", "2026-10", 1) == 1
    assert allocate(house, "SUB1", "prairie", "2026-10", 1) == 2
    (house.closes / ".control_numbers" / "Sub1.jsonl").write_text(
        '{"control_number": 7, "practice_id": "old", "month": "2026-09", "version": 1}\n'
    )
    assert allocate(house, "sub1", "lakeside", "2026-10", 2) == 8
    assert allocate(house, "SUB1", "old", "2026-09", 1) == 7


def test_what_packets_were_sent_with_is_not_given_again_where_the_record_is_lost(tmp_path):
    house = House(tmp_path).prepare()
    lines = {"submitter_id": ["sub1", "SUB1", None], "control_number": [3, 7, None]}
    path = house.lake / "configuration" / "claim_lines.parquet"
    path.parent.mkdir()
    pq.write_table(pa.table(lines), path)
    common = InCommon(house, date(2026, 10, 1))
    assert [common.highest_number(name) for name in ("Sub1", "SUB2")] == [7, 0]
    assert allocate(house, "SUB1", "lakeside", "2026-10", 2, common.highest_number("SUB1")) == 8
    assert allocate(house, "SUB1", "lakeside", "2026-10", 2, common.highest_number("SUB1")) == 8
    assert allocate(house, "SUB1", "prairie", "2026-10", 2, common.highest_number("SUB1")) == 9


def test_two_closes_at_once_never_share_a_number(tmp_path):
    House(tmp_path).prepare()
    # Not forked: a process that has threads (pyarrow's) leaves its copies locks that nobody opens.
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        numbers = list(pool.map(take, [(str(tmp_path), version) for version in range(1, 21)]))
    assert sorted(numbers) == list(range(1, 21))


def test_a_torn_last_line_costs_its_number_and_nothing_else(tmp_path):
    house = House(tmp_path).prepare()
    allocate(house, "SUB1", "lakeside", "2026-10", 1)
    ledger = house.closes / ".control_numbers" / "SUB1.jsonl"
    with ledger.open("ab") as handle:
        handle.write(b'{"control_number": 2, "mon')
    assert allocate(house, "SUB1", "lakeside", "2026-10", 2) == 3
    assert allocate(house, "SUB1", "lakeside", "2026-10", 2) == 3
    assert allocate(house, "SUB1", "lakeside", "2026-10", 1) == 1
