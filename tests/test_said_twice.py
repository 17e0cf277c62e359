"""What Python and the models both have to say, and the second opinion once more, they say alike."""

from __future__ import annotations

import re
from datetime import date
from itertools import product

import duckdb
import jinja2

from orchestration.blanks import BLANK, is_blank
from orchestration.close.held_months import holds_month, is_held
from orchestration.close.x12.codes import is_mbi
from orchestration.close.x12.writer import GUIDE
from orchestration.house import DBT_PROJECT
from tests.second_opinion.landing import without_blanks


def macro(file: str, name: str, *given: str) -> str:
    """What a macro that calls none of dbt's own words comes to."""
    text = (DBT_PROJECT / "macros" / f"{file}.sql").read_text(encoding="utf-8")
    made = getattr(jinja2.Environment(extensions=["jinja2.ext.do"]).from_string(text).module, name)(*given)
    return " ".join(str(made).split())


def test_the_close_asks_in_the_models_words_whether_a_hold_is_of_a_month():
    asked = macro("lake", "holds_month", "holds", "$month")
    assert asked.replace("holds.", "") == holds_month()
    month, days = date(2026, 10, 1), [None, date(2026, 9, 1), date(2026, 10, 1), date(2026, 11, 1)]
    with duckdb.connect() as con:
        for first, last in product(days, days):
            hold = {"first_month_held": first, "last_month_held": last}
            row = "(select $first_month_held::date as first_month_held, $last_month_held::date as last_month_held) as holds"
            ((found,),) = con.execute(f"select {asked} from {row}", {**hold, "month": month}).fetchall()
            assert found == is_held(hold, month), (first, last)


def test_readers_models_and_the_second_opinion_hold_the_same_characters_for_blanks():
    with duckdb.connect() as con:
        # Every character of the basic plane but NUL: behind it there is no blank.
        con.execute(
            "create table letters as select chr(code::integer) as letter from range(1, 65536) as t (code) where code not between 55296 and 57343"
        )

        def those(condition: str = "true") -> set[str]:
            return {letter for (letter,) in con.execute(f"select letter from letters where {condition}").fetchall()}

        letters, read = those(), those(f"regexp_full_match(letter, '{BLANK}')")
        assert those(f"not {macro('blanks', 'says_something', 'letter')}") == read
        assert those(f"{macro('blanks', 'as_code', 'letter')} = ''") == read
    assert {letter for letter in letters if not without_blanks(letter)} == read
    assert {letter for letter in letters if is_blank(letter)} == read
    assert {letter for letter in letters if letter.isspace()} < read


def test_a_medicare_number_is_the_same_to_the_close_and_to_the_models():
    specimen = "1EG4TE5MK73"
    # Every letter and digit in every place, and other lengths.
    numbers = {
        specimen[:place] + one + specimen[place + 1 :] for place in range(11) for one in "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    }
    numbers |= {"", "UNKNOWN", specimen[:-1], f"{specimen}0", f"0{specimen}"}
    with duckdb.connect() as con:
        rows = con.execute(f"select x, {macro('lists', 'is_mbi', 'x')} from (select unnest(?) as x)", [sorted(numbers)]).fetchall()
        assert {number for number, told in rows if told} == {number for number in numbers if is_mbi(number)}
        assert con.execute(f"select {macro('lists', 'is_mbi', 'x')} from (select '1eg4-te5-mk73' as x)").fetchone() == (True,)


def test_an_acknowledgment_answers_by_the_guide_that_claim_files_name():
    assert re.findall("[0-9]{6}X[0-9A-Z]+", macro("payments", "may_answer", "answers", "claims")) == [GUIDE]
