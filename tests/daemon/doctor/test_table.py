"""The troubleshooting table of systemd/README.md has a row for whatever the doctor can say."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import oesd.doctor

README = Path(__file__).parents[3] / "systemd/README.md"
SOURCES = sorted(Path(oesd.doctor.__file__).parent.glob("*.py"))


def sayings() -> Iterator[tuple[str, str]]:
    """Subject of each warning and fault, and the longest part of its text that never changes."""
    for source in SOURCES:
        for node in ast.walk(ast.parse(source.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("warning", "fault"):
                subject = node.args[0].value if isinstance(node.args[0], ast.Constant) else "anything"
                yield str(subject), longest_part(node.args[1])


def longest_part(text: ast.expr) -> str:
    constants = [one.value for one in ast.walk(text) if isinstance(one, ast.Constant)]
    sayable = [one for one in constants if isinstance(one, str) and " " in one]
    parts = [part.strip(" .") for one in sayable for part in re.split(r"[:;,()]", one)]
    return max(parts, key=len, default="")


SAYINGS = sorted(set(sayings()))


@pytest.mark.parametrize(("subject", "part"), SAYINGS)
def test_there_is_a_row(subject: str, part: str) -> None:
    rows = [line for line in README.read_text().splitlines() if line.startswith(f"| {subject}: ")]
    assert rows
    assert any(part in row for row in rows), f"no row of {subject!r} has {part!r}"


def test_every_saying_was_found_and_every_row_is_one() -> None:
    assert len(SAYINGS) > 40
    table = README.read_text().partition("| it says | because | do |")[2].partition("\n\n")[0].splitlines()[2:]
    assert {row[2:].partition(":")[0] for row in table} == {subject for subject, _ in SAYINGS}
