"""The text of every rule that ever judged, kept under its hash; what decides in it changes only with its version.

A rule weakened under the version that stands in earlier check runs would look like the one that held then.
"""

from collections.abc import Sequence

from psycopg.types.json import Jsonb

from pantau.checks.rules import Rule, deciding
from pantau.database import Connection
from pantau.errors import PantauError


def refuse_altered(connection: Connection, rules: Sequence[Rule]) -> None:
    """Refuse rules that decide otherwise than a kept one of the same id and version. Words may differ.

    Raises:
        PantauError: naming file, rule and what changed.
    """
    kept = connection.execute(
        "select record from ops.rule_text where record ->> 'id' = any(%s)", [[rule.id for rule in rules]]
    ).fetchall()
    by_name = {(rule.id, rule.version): rule for rule in rules}
    for row in kept:
        before = row["record"]
        rule = by_name.get((before["id"], before["version"]))
        if rule is None:
            continue
        was, now = deciding(before), deciding(rule.record())
        if changed := [name for name in was if was[name] != now[name]]:
            raise PantauError(
                f"The rule {rule.id} has judged under version {rule.version} with another {' and '.join(changed)}.",
                where={"file": f"expectations/{rule.place}.yml", "rule": rule.id, "version": rule.version},
                next_step=f"Give it the next version ({rule.version + 1}), or put back what it was: the record "
                "stands in ops.rule_text.",
            )


def keep(connection: Connection, rules: Sequence[Rule]) -> None:
    """Keep the records that are not kept yet, each under its hash."""
    with connection.cursor() as cursor:
        cursor.executemany(
            "insert into ops.rule_text values (%s, %s) on conflict do nothing",
            [[rule.sha256(), Jsonb(rule.record())] for rule in rules],
        )
