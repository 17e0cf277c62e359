"""The kinds of values that settings have, each refused with what is wrong and what to write instead."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationInfo

from orchestration.settings.plain_yaml import NOT_PLAIN, Odd, is_whole


def quoted(value: Any) -> Any:
    """YAML reads an unquoted 06102 as a number and loses its leading zero, so numbers are refused where text is meant."""
    if isinstance(value, str):
        return value
    raise ValueError('must be quoted text, like "06102": YAML reads unquoted digits as a number')


def _plain(value: Any) -> Any:
    if isinstance(value, (bool, float, Odd)) or (isinstance(value, str) and not is_whole(value.strip())):
        raise ValueError(NOT_PLAIN)
    return value


Whole = Annotated[int, BeforeValidator(_plain)]


def _visible(value: str) -> str:
    if not any(character.isprintable() and not character.isspace() for character in value):
        raise ValueError("is blank")
    return value


Text = Annotated[str, BeforeValidator(quoted), AfterValidator(_visible)]


def _writable(value: str, info: ValidationInfo) -> str:
    """A text of which a claim file can hold something."""
    if not info.context and not re.search("[A-Za-z0-9]", value):
        from orchestration.close.x12.writer import plain

        if not re.search("[A-Z0-9]", plain(value)):
            raise ValueError("has no letter from A to Z and no digit: a claim file can hold no others; write it in these")
    return value


Written = Annotated[Text, AfterValidator(_writable)]


def digits(length: int) -> Any:
    """So many digits, as text."""
    return Annotated[str, BeforeValidator(quoted), Field(pattern=rf"^[0-9]{{{length}}}$")]


def number_of(length: int) -> Any:
    """So many digits that are the number of something: never all zeros."""

    def meant(value: str, info: ValidationInfo) -> str:
        if not info.context and not value.strip("0"):
            raise ValueError("is all zeros; write the real one")
        return value

    return Annotated[digits(length), AfterValidator(meant)]


class Strict(BaseModel):
    """Settings that know no other key than their own."""

    model_config = ConfigDict(extra="forbid", frozen=True)


State = Annotated[str, BeforeValidator(quoted), Field(pattern=r"^[A-Z]{2}$")]

# X12's basic set less the claim file's delimiters; of spaces only single ones between the rest, since the file keeps no others.
_WRITABLE = re.compile(r"""[A-Za-z0-9!"&'()+,\-./;?=]+(?: [A-Za-z0-9!"&'()+,\-./;?=]+)*""").fullmatch


def identifier(longest: int) -> Any:
    """An id as the claim file can hold it. Letters may be small, they are written large."""

    def held(value: str) -> str:
        if not (2 <= len(value) <= longest and _WRITABLE(value)):
            raise ValueError(
                f"must be 2 to {longest} characters that a claim file can hold: letters A to Z, digits, single spaces and !\"&'()+,-./;?="
            )
        return value

    return Annotated[str, BeforeValidator(quoted), AfterValidator(held)]


MailAddress = Annotated[str, BeforeValidator(quoted), Field(pattern=r"^[^@\s,;<>]+@[^@\s,;<>]+$")]
