"""training/prepare: what it makes of words, apart from any source."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "training"))

from prepare.groups import Groups
from prepare.meaning import difference, disagreement, meaning
from prepare.nearest import Nearest
from prepare.rewrite import exchanged, fronted, keywords
from prepare.sources.medquad import WORDINGS, read_wordings
from prepare.sources.medquad_names import Casing, drug_names, marks, usable
from prepare.sources.staqc import request
from prepare.sources.staqc_swaps import swaps
from prepare.texts import clean, fault, normal
from prepare.verbs import gerund

from semantic_router_lora.errors import DataError


def test_texts():
    assert clean(" a&amp;b \u200b c\n") == "a&b c"
    assert normal("What  IS it ?!") == "what is it"
    assert fault("one two") and fault("word " * 65) and fault("see <br/> this thing")
    assert fault("wie kann ich das nicht mit dem Auto") == "text not in English"
    assert fault("как удалить пустой файл") == "text not in English"
    assert fault("SELECT a FROM b WHERE c < 3") is None


def test_meaning_tells_what_differs():
    first = meaning("find files larger than 5 MB in /tmp")
    assert disagreement(first, meaning("list files in folder /tmp bigger than 5MB")) is None
    assert "numbers" in disagreement(first, meaning("find files larger than 6 MB in /tmp"))
    assert "names" in disagreement(first, meaning("find files larger than 5 MB in /var"))
    assert "action" in disagreement(first, meaning("delete files larger than 5 MB in /tmp"))
    assert "polarity" in disagreement(first, meaning("find files not larger than 5 MB in /tmp"))
    assert "comparison" in disagreement(first, meaning("find files within 5 MB in /tmp"))
    pair = (first, first)
    assert difference(pair, meaning("find files larger than 6 MB in /tmp")) == "number"
    assert difference(pair, meaning("show all documents bigger than 5 MB in /tmp")) is None


def test_groups_and_nearest():
    groups = Groups()
    groups.join("b", "c")
    groups.join("c", "a")
    assert {groups.name(item) for item in "abc"} == {"a"}
    assert groups.name("d") == "d"
    nearest = Nearest([frozenset(text.split()) for text in ("a b", "a c", "x y")])
    assert [number for _, number in nearest.search(frozenset({"a", "b"}))] == [0, 1]
    assert nearest.search(frozenset({"unknown"})) == []


def test_rewriting():
    assert gerund("create") == "creating"
    assert gerund("get") == "getting"
    phrase = "delete duplicate rows in MySQL without using a cursor"
    changed, places = exchanged(phrase, ("first", "any", "sql"), "key")
    assert places == 3
    assert changed != phrase
    condition, main = fronted("list the customers of a shop in MySQL")
    assert (condition, main) == ("in MySQL", "list the customers of a shop")
    assert fronted("show rows where name is not in MySQL") is None
    assert keywords("get the last of the rows") == "get last rows"
    assert request("SQL Server: How to split a name?") == "split a name in SQL Server"
    assert request("Converting text to a date") == "convert text to a date"
    assert request("Update query does not work") is None
    assert request("Order by question") is None


def test_swaps_change_one_thing():
    found = dict(swaps("convert rows to columns in MySQL"))
    assert found["role"] == "convert columns to rows in MySQL"
    assert ("negation", "get the last row of a table") in swaps("get the first row of a table")
    assert ("role", "import data from Access to Excel") in swaps("import data from Excel to Access")
    assert swaps("get the first and the last row of a table") == []
    assert not [s for s in swaps("copy rows from one table to another") if s[0] == "role"]


def test_names():
    assert drug_names("Timolol Ophthalmic") == ["ophthalmic Timolol", "Timolol in the eye"]
    assert marks("spastic paraplegia type II") == marks("paraplegia 2 spastic") == {"2"}
    assert usable("Dry eye") and not usable("Flu - what to ask") and not usable("What, now")
    assert Casing(["benign eye disease"]).natural("Dry Eye Disease") == "Dry eye disease"


def test_wordings_of_medquad(tmp_path):
    types = read_wordings(WORDINGS)
    assert all(len(set(kind.wordings)) >= 5 and kind.families for kind in types.values())
    (tmp_path / "w.txt").write_text("= causes / origin\nwhat causes it\n")
    with pytest.raises(DataError, match=r"w\.txt:2: expected"):
        read_wordings(tmp_path / "w.txt")
