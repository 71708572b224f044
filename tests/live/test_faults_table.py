"""docs/faults.md is true: every test that it names exists, and no fault of a group is left out."""

from __future__ import annotations

import re

GROUPS = (range(1, 72), range(72, 75))


def test_every_test_named_in_the_table_exists(repository):
    table = (repository / "docs" / "faults.md").read_text(encoding="utf-8")
    sources = [path.read_text(encoding="utf-8") for path in repository.glob("tests/**/test_*.py")]
    there = {name for text in sources for name in re.findall(r"def (test_\w+)", text)}
    named = set(re.findall(r"`(test_\w+)`", table))
    assert named - there == set()


def test_every_fault_of_the_groups_a_to_e_and_of_secrets_has_a_line(repository):
    table = (repository / "docs" / "faults.md").read_text(encoding="utf-8")
    numbers = [int(number) for number in re.findall(r"^\| (\d+) \|", table, flags=re.MULTILINE)]
    known = [number for group in GROUPS for number in group]
    assert numbers[: len(known)] == known
    met_by_users = numbers[len(known) :]
    assert met_by_users == sorted(set(met_by_users) & {*range(85, 103)})
