"""The rendering practitioner's last and first name on the claim, however the export writes the member's name."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestration.close.names import bare_name, is_plain, is_sure, split_name

# As the office may write them; with and without dots, a comma and capitals.
TITLES = (
    "Dr", "Mr", "Mrs", "Ms", "Prof", "MD", "NP", "PA", "PA-C", "CNS", "CNM", "FNP", "FNP-BC", "FNP-C", "APRN", "ARNP", "DNP", "PhD",
    "PharmD", "RN", "MPH", "MBA", "FACP", "FAAFP", "MBBS", "Jr", "Sr", "II", "III", "IV",
)  # fmt: skip


@pytest.mark.parametrize(
    ("name", "split"),
    [
        ("Jane Doe", ("Doe", "Jane")),
        ("Jane Doe, MD", ("Doe", "Jane")),
        ("Doe, Jane", ("Doe", "Jane")),
        ("Cher", ("Cher", "")),
        ("", ("", "")),
        (" ", ("", "")),
        ("DOE, JANE", ("DOE", "JANE")),
        ("SMITH, AL", ("SMITH", "AL")),
        ("DR. JANE DOE", ("DOE", "JANE")),
        ("Jane Doe MD", ("Doe", "Jane")),
        ("Jane Doe, PhD", ("Doe", "Jane")),
        ("JANE M. DOE, M.D., F.A.C.P.", ("DOE", "JANE")),
        ("Jane M. Doe", ("Doe", "Jane")),
        ("Doe, Jane M.", ("Doe", "Jane")),
        ("DOE III, JOHN, PA-C", ("DOE", "JOHN")),
        ("Doe, Jr., John", ("Doe", "John")),
        ("Doe, Dr. Jane", ("Doe", "Jane")),
        ("Prof. Dr. Jane Doe", ("Doe", "Jane")),
        ("Jane Doe MD/PhD", ("Doe", "Jane")),
        ("Jane Doe, MD, Board Certified", ("Doe", "Jane")),
        ("  Jane   Doe ,MD, ", ("Doe", "Jane")),
        ("O'Brien-Smith, Mary-Kate", ("O'Brien-Smith", "Mary-Kate")),
        # Particles: with the last name in front of a comma, or where they are written small.
        ("Mary Ann van Dyke, DO", ("van Dyke", "Mary")),
        ("Anna van der Berg", ("van der Berg", "Anna")),
        ("van der Berg, Anna, MD", ("van der Berg", "Anna")),
        ("VAN DER BERG, ANNA", ("VAN DER BERG", "ANNA")),
        ("de la Cruz", ("de la Cruz", "")),
        ("Dr. Maria de la Cruz FNP-BC", ("de la Cruz", "Maria")),
        ("Maria De La Cruz", ("Cruz", "Maria")),
        ("anna van der berg", ("van der berg", "anna")),
        ("van morrison", ("morrison", "van")),
        # Who has one name, or is called as a title is.
        ("Dr. Doe", ("Doe", "")),
        ("DOE, MD", ("DOE", "")),
        ("MD", ("MD", "")),
        ("Dr.", ("Dr.", "")),
        ("Jane Doe DO", ("Doe", "Jane")),
        ("jane doe, d.o.", ("doe", "jane")),
        ("Kim Anh Do", ("Do", "Kim")),
        ("ANH DO", ("DO", "ANH")),
        ("Anh Do, DO", ("Do", "Anh")),
        ("DR. DO, ANH", ("DO", "ANH")),
        ("Nguyen, Do", ("Nguyen", "Do")),
        ("Md. Abdul Karim", ("Karim", "Md.")),
        ("Md Rahman, MD", ("Rahman", "Md")),
    ],
)
def test_a_member_name_splits_into_last_and_first(name: str, split: tuple[str, str]) -> None:
    assert split_name(name) == split


@pytest.mark.parametrize(
    ("name", "split"),
    [
        ("Jane Doe (MD)", ("Doe", "Jane")),
        ("Jane Doe (MD", ("Doe", "Jane")),
        ("Doe, Jane [NP]", ("Doe", "Jane")),
        ("Jane (Janie) Doe", ("Doe", "Jane")),
        ("Jane Doe - MD", ("Doe", "Jane")),
        ("Jane Doe \u2013 MD", ("Doe", "Jane")),
        ("Jane Doe -MD", ("Doe", "Jane")),
        ("Doe - Smith, Jane", ("Doe Smith", "Jane")),
        ("Jane Doe, M. D.", ("Doe", "Jane")),
        ("Jane Doe, Ph. D.", ("Doe", "Jane")),
        ("Jane Doe M. D.", ("Doe", "Jane")),
        ("Doe, Jane M. D.", ("Doe", "Jane")),
        ("Dr. Doe, M. D.", ("Doe", "")),
        ("Jane Doe PA C", ("Doe", "Jane")),
        ("Jane Doe, FNP BC", ("Doe", "Jane")),
        ("Doe, Jane PA C", ("Doe", "Jane")),
        # What is no title stays.
        ("Doe, M. D.", ("Doe", "M.")),
        ("M. D. Anderson", ("Anderson", "M.")),
        ("J. O. Do", ("Do", "J.")),
        ("O'Brien-Smith, Mary-Kate", ("O'Brien-Smith", "Mary-Kate")),
        ("(MD)", ("(MD)", "")),
        ("-", ("-", "")),
        ("", ("", "")),
    ],
)
def test_brackets_dashes_and_degrees_with_spaces_are_in_neither_name(name: str, split: tuple[str, str]) -> None:
    assert split_name(bare_name(name)) == split


@pytest.mark.parametrize(
    "name",
    [
        "Jane Doe M D", "Jane Doe C N P", "Jane Doe R. N. P.", "Jane Doe Ph D", "Jane Doe M D, FACP", "Jane Doe, M D", "Dr. Jane Doe, M D, FACP",
        "Jane Doe, R. N. P.", "Kim D. O.", "Sandra O", "Jane D.", "(Jane Doe)", "Jane (Doe", "Jane [Doe], MD", "Doe (Jane)", "Jane Doe {MD}", "(MD)",
        "MD", "Dr.",
    ],
)  # fmt: skip
def test_it_is_said_where_the_last_name_is_not_sure(name: str) -> None:
    assert not is_sure(name)


@pytest.mark.parametrize(
    "name",
    [
        "Jane Doe", "Doe, Jane, P A", "Jane Doe (MD)", "Jane Doe (MD", "Jane (Janie) Doe", "Dr. Jane Doe (retired)", "Dr. Doe (MD)", "Jane Doe M. D.",
        "Jane Doe, M. D.", "Jane Doe, MSN, R N", "Maria de la Cruz, M. D.", "Linh M. Ha", "M. D. Anderson", "Kim Anh Do", "Do, Anh", "O, Sandra",
        "Dr. O, Sandra", "van der Berg, A. B.", "van der Berg, J. MD", "Garcia Lopez, M.", "O'Neil-(Smith), Jane", "Cher", "Md Rahman, MD", "-", "",
    ],
)  # fmt: skip
def test_a_last_name_that_a_comma_or_its_place_tells_is_sure(name: str) -> None:
    assert is_sure(name)


@pytest.mark.parametrize("write", [str, str.upper, str.lower, str.title], ids=["usual", "capitals", "small", "titled"])
@pytest.mark.parametrize("title", TITLES)
def test_a_title_is_in_neither_name_however_it_is_written(title: str, write: Callable[[str], str]) -> None:
    plain = {form: (form(" Doe").strip(), form("Jane")) for form in (str, str.upper)}
    for said in {write(title), write(title) + ".", ".".join(write(title)) + "."}:
        for form, split in plain.items():
            last, first = split[0], split[1]
            for name in (
                f"{first} {last} {said}", f"{first} {last}, {said}", f"{last}, {first} {said}", f"{last}, {first}, {said}",
                f"{last} {said}, {first}", f"{first} M. {last} {said}", f"{first} {last} {said}, MD", f"{first} {last}, RN, {said}",
            ):  # fmt: skip
                assert split_name(name) == (last, first), (form, name)
    if title in ("Dr", "Mr", "Mrs", "Ms", "Prof"):
        assert split_name(f"{write(title)}. Jane Doe") == split_name(f"{write(title)} Doe, Jane") == ("Doe", "Jane")


_WORD = st.sampled_from(["Jane", "DOE", "van", "de", "M.", "Do", "DO", "MD", "Dr.", "Jr.", "III", "PA-C", "o'neil", "É", "-", "."])


@given(st.lists(st.lists(_WORD, min_size=1, max_size=4), min_size=1, max_size=4))
def test_of_any_words_the_last_name_is_never_empty_and_nothing_is_made_up(parts: list[list[str]]) -> None:
    name = ", ".join(" ".join(words) for words in parts)
    last, first = split_name(name)
    given_words = {word for words in parts for word in words}
    assert last and set(last.split()) <= given_words and set(first.split()) <= given_words and len(first.split()) <= 1


@pytest.mark.parametrize(
    "name", ["Jane Doe, MD <jd@x.org>", "Jane Doe <MD>", "Jane Doe, jd@x.org", "jd@x.org", "Jane Doe 2nd", "John 4711"]
)
def test_a_name_with_what_is_no_names_is_not_plain(name: str) -> None:
    assert not is_plain(name)


@pytest.mark.parametrize("name", ["Jane Doe, MD", "DOE III, JOHN, PA-C", "Doe, Jane, 1000020010", "Jane O'Neil-Doe", "Zoe1 Doe1"])
def test_a_name_is_plain_whatever_letters_it_has(name: str) -> None:
    assert is_plain(name)
