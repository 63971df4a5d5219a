"""Who a body speaks of: names, birth date, sex and resident code, and who may have which."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final, Self

from pydantic import ConfigDict, model_validator

from jukinet_mq.messages.body import Record, broken_rule
from jukinet_mq.messages.dates import RegisterDate
from jukinet_mq.messages.fields import (
    Alias,
    AlphabetName,
    Furigana,
    Name,
    ResidentCode,
)

if TYPE_CHECKING:
    from pydantic_core import PydanticCustomError


class ResidentClass(StrEnum):
    """Which rules for names apply (Act art. 7 and 30-45)."""

    JAPANESE = "japanese"
    FOREIGN = "foreign"


class Sex(StrEnum):
    """男女の別 (Act art. 7 item 3)."""

    MALE = "male"
    FEMALE = "female"
    UNRECORDED = "unrecorded"
    """Left blank in the register, as for a newborn whose sex is not yet entered."""


NAME_RULES: Final[list[Any]] = [
    {
        "if": {"properties": {"resident_class": {"const": ResidentClass.JAPANESE.value}}},
        "then": {
            "required": ["name"],
            "properties": {
                "name": {"type": "string"},
                "alphabet_name": {"type": "null"},
                "alias": {"type": "null"},
            },
        },
        "else": {
            "anyOf": [
                {"required": ["name"], "properties": {"name": {"type": "string"}}},
                {
                    "required": ["alphabet_name"],
                    "properties": {"alphabet_name": {"type": "string"}},
                },
            ],
            "properties": {
                "furigana": {"type": "null"},
                "former_surname": {"type": "null"},
                "former_surname_furigana": {"type": "null"},
            },
        },
    },
]
"""What `Person` checks between its fields, said in JSON Schema."""


class Person(Record):
    """A resident, as much of one as every notice about persons carries."""

    model_config = ConfigDict(json_schema_extra={"allOf": NAME_RULES})

    resident_code: ResidentCode
    """住民票コード, 11 digits (Act art. 7 item 13)."""
    resident_class: ResidentClass
    """Japanese national or foreign resident (外国人住民, Act art. 30-45); decides about names."""
    name: Name | None = None
    """氏名 in register characters (Act art. 7 item 1). A foreign resident may have an
    alphabet name only."""
    alphabet_name: AlphabetName | None = None
    """氏名（アルファベット）as on the residence card; foreign residents only."""
    furigana: Furigana | None = None
    """氏名の振り仮名 (Act art. 7 item 1-2); Japanese nationals only (Act art. 30-45). Missing
    on entries that had none recorded yet when this was said (furigana began on 2025-05-26)."""
    former_surname: Name | None = None
    """旧氏 (Order art. 30-13); Japanese nationals only, always with its furigana."""
    former_surname_furigana: Furigana | None = None
    """旧氏の振り仮名; exactly where there is a former surname."""
    alias: Alias | None = None
    """通称 (Order art. 30-16); foreign residents only."""
    birth_date: RegisterDate
    """出生の年月日 (Act art. 7 item 2), which may be known in part only."""
    sex: Sex
    """男女の別 (Act art. 7 item 3)."""

    @model_validator(mode="after")
    def _has_the_names_of_its_class(self) -> Self:
        broken = (
            self._broken_as_japanese()
            if self.resident_class is ResidentClass.JAPANESE
            else self._broken_as_foreign()
        )
        if broken is not None:
            raise broken
        return self

    def _broken_as_japanese(self) -> PydanticCustomError | None:
        if self.name is None:
            return broken_rule("name is missing; every Japanese national has one")
        if self.alphabet_name is not None or self.alias is not None:
            return broken_rule(
                "alphabet_name and alias are for foreign residents only (Order art. 30-16)"
            )
        if (self.former_surname is None) is not (self.former_surname_furigana is None):
            return broken_rule(
                "former_surname and former_surname_furigana come together (Order art. 30-13)"
            )
        return None

    def _broken_as_foreign(self) -> PydanticCustomError | None:
        if self.name is None and self.alphabet_name is None:
            return broken_rule("name or alphabet_name is needed for a foreign resident")
        if self.furigana is not None:
            return broken_rule("furigana is for Japanese nationals only (Act art. 30-45)")
        if self.former_surname is not None or self.former_surname_furigana is not None:
            return broken_rule(
                "former_surname is for Japanese nationals only: it stands in a family register"
            )
        return None
