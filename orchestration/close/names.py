"""A care team member's `name` as a claim has it: last and first, whatever titles stand around them and in whatever order the export writes it."""

from __future__ import annotations

import re
from collections.abc import Sequence, Set

_HONORIFICS = {"dr", "doctor", "mr", "mrs", "ms", "miss", "prof", "professor"}
# Neither first nor last: a claim has an element of its own for them, which may be empty.
_GENERATIONS = {"jr", "sr", "ii", "iii", "iv"}
# Who may practise, degrees and fellowships; with or without dots, and with -C or -BC behind them (FNP-BC, PA-C).
_LETTERS = {
    "md", "do", "mbbs", "mbbch", "mbchb", "np", "pa", "cns", "cnm", "cnp", "crnp", "crna", "fnp", "agnp", "agpcnp", "anp", "acnp", "gnp",
    "pnp", "whnp", "pmhnp", "aprn", "arnp", "dnp", "rn", "lpn", "lcsw", "rd", "rph", "phd", "pharmd", "psyd", "scd", "drph", "bsn", "msn",
    "msc", "mph", "mba", "mha", "facp", "faafp", "facc", "facs", "faap", "facog", "facep", "fccp", "faanp", "bcps",
}  # fmt: skip
_AFTER = _LETTERS | _GENERATIONS | _HONORIFICS
# People are called so, too: Kim Anh Do, Md Rahman, Pa Houa Vang.
_LAST_NAMES, _FIRST_NAMES = {"Do"}, {"Do", "Md", "Pa"}
_PARTICLES = {
    "af", "bin", "da", "das", "de", "del", "della", "den", "der", "di", "dos", "du", "el", "ibn", "la", "le", "ten", "ter", "van", "von",
    "zu", "zur",
}  # fmt: skip


def bare_name(name: str) -> str:
    """The name without what exports write around it: what stands in brackets, dashes that join nothing, and degrees with a space in them (M. D., PA C).
    As it is where nothing else stands in it."""
    text = re.sub(r"\([^)]*\)?|\[[^\]]*\]?", " ", name)
    parts = [[word for said in part.split() if (word := said.strip("-\u2013\u2014)]"))] for part in text.split(",")]
    before = 0  # words that may be the name's own
    for words in parts:
        if len(words) > 1 and (before or len(words) > 2):
            degree = "".join(words[-2:]) if before > 1 or len(words) > 3 else ""
            if all(len(word.strip(".")) <= 2 for word in words[-2:]) and "." in degree and _is_one(degree, _LETTERS):
                words[-2:] = [degree]
            elif _is_one(words[-2], _LETTERS) and words[-1].casefold().strip(".") in ("c", "bc"):
                words.pop()
        before += len(words)
    return ", ".join(" ".join(words) for words in parts if words) or name


def is_plain(name: str) -> bool:
    """Whether nothing in a name is no name's: an address (Jane Doe, MD <jd@x.org>), or a number that would be the last name (Jane Doe 2nd)."""
    bare = bare_name(name)
    return not re.search(r"[@<>]", bare) and not re.search(r"\b\d", split_name(bare)[0])


def is_sure(name: str) -> bool:
    """Whether `split_name` of the bare name has the last name for certain. Not where that keeps a bracket, is a title or, unless a comma says so, one letter
    (Jane Doe M D); where letters behind a comma may be a degree (Jane Doe, M D); nor where the other half of the name may stand in brackets."""
    bare = bare_name(name)
    last, first = split_name(bare)
    if not any(map(str.isalpha, last)):
        return True  # sure to be none
    if re.search(r"[()\[\]{}<>]", last + first) or (_is_title(last.split()) and not _may_be_last(last.split())):
        return False
    aside = " ".join(re.findall(r"[(\[]([^)\]]*)", name)).replace(",", " ").split()
    if not first and not _is_title(aside):
        return False
    if not (first and f"{last}, {first}" in bare):
        return len(last.strip(".")) > 1
    letters = [word.strip(".") for word in name.partition(",")[2].partition(",")[0].split()]
    spelt = all(len(letter) == 1 for letter in letters) and {"".join(letters[at:]).casefold() for at in range(len(letters) - 1)}
    return not (" " in last and spelt and spelt & _LETTERS)


def split_name(name: str) -> tuple[str, str]:
    """(last name, first name): of 'Dr. Jane M. Doe, MD', 'DOE, JANE' or 'Anna van der Berg'. The last name is empty only where the name is."""
    parts = [words for part in name.split(",") if (words := part.split())]
    if not parts:
        return name.strip(), ""
    while len(parts) > 1 and _is_title(parts[0]) and not _may_be_last(_bare(parts[0])):
        parts.pop(0)
    named = _bare(parts[0])
    if len(parts) == 1 or (len(named) > 1 and _is_title(parts[1])):
        return _in_speech(named)
    firsts = [_bare(part) for part in parts[1:] if not _is_title(part) or part[0] in _LAST_NAMES]
    # In front of a comma everything is the last name, particles and all.
    return (" ".join(named), firsts[0][0]) if firsts else _in_speech(named)


def _in_speech(words: Sequence[str]) -> tuple[str, str]:
    """Of a name as it is said: the last word is the last name, with the particles in small letters before it."""
    first = len(words) - 1
    while first > 1 and words[first - 1] in _PARTICLES:
        first -= 1
    if first == 1 and words[0] in _PARTICLES and not words[-1].islower():  # 'de la Cruz'
        first = 0
    return " ".join(words[first:]), words[0] if first else ""


def _bare(words: Sequence[str]) -> list[str]:
    """Without the titles at both ends; at least one word."""
    left = list(words)
    while (
        len(left) > 1 and _is_one(left[-1], _AFTER) and not (left[-1] in _LAST_NAMES or (len(left) == 2 and _may_be_last(left[1:])))
    ):
        left.pop()
    while len(left) > 1 and (
        _is_one(left[0], _HONORIFICS) or (len(left) > 2 and _is_one(left[0], _LETTERS) and left[0].strip(".") not in _FIRST_NAMES)
    ):
        left.pop(0)
    return left


def _is_title(words: Sequence[str]) -> bool:
    return all(_is_one(word, _AFTER) for word in words)


def _may_be_last(words: Sequence[str]) -> bool:
    return len(words) == 1 and words[0].title() in _LAST_NAMES


def _is_one(word: str, titles: Set[str]) -> bool:
    """Whether a word is one of these titles, or several with slashes (MD/PhD)."""
    return all(re.sub(r"-b?c$", "", one) in titles for one in word.replace(".", "").casefold().split("/"))
