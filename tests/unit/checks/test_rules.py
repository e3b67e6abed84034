"""Rule files: what is refused, with which words, and what a rule says about itself."""

from pathlib import Path

import pytest

from pantau.checks.rules import Rule, lint_rules, load_rules, rules_hash
from pantau.errors import PantauError

GOOD = """
- id: {subject}.none_negative
  version: 1
  severity: warning
  sentence: {{id: Tidak negatif., en: Not negative.}}
  fixer: Kementerian
  reference: Definisi K1
  {text}
"""


def write(folder: Path, text: str, place: str = "raw/komdigi__desa_4g.yml", subject: str = "") -> Path:
    path = folder / place
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(GOOD.format(subject=subject or path.stem, text=text))
    return folder


def test_the_project_s_rules_hold() -> None:
    assert lint_rules() == []
    assert len(load_rules()) >= 14
    assert {rule.border for rule in load_rules()} == {"raw", "across", "marts"}
    assert any(rule.expectation for rule in load_rules())


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("select: select 1", "reads {batch}"),
        ("select: select * from {batch} where a = {other}", "{batch} is the only placeholder"),
        ("select: select * from {batch} where a ~ 'x{3}'", "a literal brace is doubled"),
        ("select: select * from {batch} where a = '}'", "a literal brace is doubled"),
        ("select: select * from {batch}; select 2", "no semicolon"),
        ("select: delete from {batch}", "begins with `with` or `select`"),
        ("select: select * from {batch} where on_air_on > current_date", "depend on the moment"),
        ("select: select * from {batch} where random() < 0.5", "depend on the moment"),
        ("action: {id: x, en: y}", "either `expectation` or `select`"),
        ("select: select * from {batch}\n  expectation: {type: expect_x}", "`expectation` or `select`"),
        ("select: select * from {batch}\n  color: red", "color"),
        ("select: select * from {batch}\n  action: {id: x}", "action.en"),
    ],
)
def test_what_is_refused_names_file_and_rule(tmp_path: Path, text: str, said: str) -> None:
    write(tmp_path, text)
    with pytest.raises(PantauError) as caught:
        load_rules(tmp_path)
    message = str(caught.value)
    assert said in message
    assert "raw/komdigi__desa_4g.yml, rule komdigi__desa_4g.none_negative" in message
    assert any(said in problem for problem in lint_rules(tmp_path))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("select: select * from {batch} join checks.nothing using (a)", "no view checks.nothing"),
        (
            "batch: komdigi__desa_4g__build\n  select: select * from {batch}",
            "no view checks.komdigi__desa_4g__b",
        ),
        ("select: select * from {batch} join checks.komdigi__desa_3t using (a)", "stands in across.yml"),
        ("expectation: {type: expect_miracles}", "knows no expect_miracles"),
        ("expectation: {type: expect_table_row_count_to_equal, arguments: {n: 3}}", "refuses its arguments"),
        (
            "expectation: {type: expect_column_values_to_be_in_set, arguments: {column: a, value_set: [1]}}",
            "write it as `select`",
        ),
    ],
)
def test_what_lint_adds(tmp_path: Path, text: str, said: str) -> None:
    write(tmp_path, text)
    assert [said in problem for problem in lint_rules(tmp_path)] == [True]


def test_files_that_belong_nowhere(tmp_path: Path) -> None:
    write(tmp_path, "select: select * from {batch}", "raw/komdigi__desa_5g.yml")
    (tmp_path / "raw" / "komdigi__desa_4g.yml").write_text("rules: 3")
    (tmp_path / "raw" / "komdigi__desa_3t.yml").write_text("- 3")
    (tmp_path / "raw" / "every.yml").write_text("- [unclosed")
    said = lint_rules(tmp_path)
    assert any("raw/komdigi__desa_5g.yml: there is no feed" in problem for problem in said)
    assert any("raw/komdigi__desa_4g.yml: a list of rules" in problem for problem in said)
    assert any("raw/komdigi__desa_3t.yml, rule number 1: a record" in problem for problem in said)
    assert any("raw/every.yml: not YAML" in problem for problem in said)


def test_ids_begin_with_the_file_and_are_unique(tmp_path: Path) -> None:
    write(tmp_path, "select: select * from {batch}", subject="every")
    assert any("id: begins with 'komdigi__desa_4g.'" in problem for problem in lint_rules(tmp_path))
    write(tmp_path, "select: select * from {batch}")
    path = tmp_path / "raw" / "komdigi__desa_4g.yml"
    path.write_text(path.read_text() * 2)
    assert any("there are two of it" in problem for problem in lint_rules(tmp_path))


def test_across_names_its_batch(tmp_path: Path) -> None:
    write(tmp_path, "select: select * from {batch}", "raw/across.yml")
    assert any("batch: which view" in problem for problem in lint_rules(tmp_path))


def rule(identity: str) -> Rule:
    return next(rule for rule in load_rules() if rule.id == identity)


def test_a_rule_knows_the_feeds_it_reads() -> None:
    assert rule("across.village_without_row").feeds == {"kemendagri__wilayah", "komdigi__desa_4g"}
    assert rule("across.coverage_incomplete").feeds == {"kemendagri__wilayah", "komdigi__desa_4g"}
    assert rule("komdigi__desa_4g.lost_villages").feeds == {"komdigi__desa_4g"}
    assert rule("every.unchanged").feeds == set()
    assert rule("rpt_figure.province_missing").feeds == {"kemendagri__wilayah"}


def test_the_hash_follows_the_records_and_nothing_else() -> None:
    rules = list(load_rules())
    assert rules_hash(rules) == rules_hash(rules[::-1])
    changed = rules[0].model_copy(update={"version": rules[0].version + 1})
    assert rules_hash([changed, *rules[1:]]) != rules_hash(rules)
    assert rules_hash(rules[1:]) != rules_hash(rules)
