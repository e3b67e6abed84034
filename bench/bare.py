"""The bare parts of a demo: for each kind of step the least that must happen, on the same rows, bytes and SQL.

Nothing is checked, resolved, recorded or made safe in them. What a step costs more is what those cost.
"""

import hashlib
import io
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import psycopg
from psycopg import sql

from pantau import catalogue
from pantau.checks import load_rules
from pantau.database import Role, airflow_url, connect
from pantau.landing import path_of
from pantau.settings import settings

EMPTY_TASKS = 40
EMPTY_DAG = f"""
from airflow.sdk import dag, task

@dag(schedule=None)
def empty():
    @task
    def numbers():
        return list(range({EMPTY_TASKS}))

    @task
    def nothing(number):
        return number

    nothing.expand(number=numbers())

empty()
"""
RUN_EMPTY = """
import sys, time
from pathlib import Path
from airflow.dag_processing.dagbag import BundleDagBag
folder = Path(sys.argv[1])
dag = BundleDagBag(dag_folder=folder, bundle_path=folder, bundle_name="dags-folder").dags["empty"]
dag.test(logical_date=None)
begun = time.monotonic()
dag.test(logical_date=None)
print(time.monotonic() - begun)
"""


def seconds(action: Callable[[], object]) -> float:
    """Wall seconds of one call."""
    begun = time.monotonic()
    action()
    return time.monotonic() - begun


def pull() -> float:
    """Hash and write the delivered bytes."""
    with connect(Role.OWNER) as connection:
        kept = connection.execute("select sha256 from ops.delivery_file").fetchall()
    contents = [path_of(row["sha256"]).read_bytes() for row in kept]

    def take() -> None:
        with tempfile.TemporaryDirectory(dir=settings.var) as folder:
            for number, content in enumerate(contents):
                hashlib.sha256(content).hexdigest()
                (Path(folder) / str(number)).write_bytes(content)

    return seconds(take)


def _copied(tables: list[str]) -> float:
    """COPY the rows of these tables, typed already, into empty ones with the same columns."""
    with connect(Role.OWNER) as connection, connection.cursor() as cursor:
        spent = 0.0
        for table in tables:
            rows = io.BytesIO()
            name = sql.SQL(table)
            with cursor.copy(sql.SQL("copy {} to stdout").format(name)) as out:
                for block in out:
                    rows.write(block)
            cursor.execute(sql.SQL("create table raw.bare (like {})").format(name))

            def copy(content: bytes = rows.getvalue()) -> None:
                with cursor.copy("copy raw.bare from stdin") as into:
                    into.write(content)

            spent += seconds(copy)
            cursor.execute("drop table raw.bare")
        return spent


def read() -> float:
    """COPY of all accepted rows."""
    return _copied([f"raw.{feed}" for feed in catalogue.load()])


def freeze() -> float:
    """COPY of all frozen figures."""
    return _copied(["ops.figure"])


def check() -> float:
    """The failing rows of each rule that was judged, counted by its own select."""
    rules = {rule.id: rule for rule in load_rules()}
    with connect(Role.OWNER) as connection:
        runs = connection.execute(
            "select c.border, c.reading_id, c.build_id, c.ledger_no, array_agg(r.rule_id) as rules"
            " from ops.check_run c join ops.check_result r on r.check_run_id = c.id group by c.id order by c.id"
        ).fetchall()

    def count() -> None:
        for run in runs:
            setting = (
                f"pantau.reading={run['reading_id']}"
                if run["reading_id"]
                else f"pantau.build={run['build_id']}"
            )
            options = f"-c {setting} -c pantau.known={run['ledger_no']} -c search_path=checks -c enable_nestloop=off"
            with connect(Role.OWNER, options) as connection:
                for rule in (rules[name] for name in run["rules"]):
                    if rule.select:
                        failing = rule.select.replace("{batch}", rule.batch)
                        connection.execute(f"select count(*) from ({failing}) failing")  # noqa: S608

    return seconds(count)


def dbt() -> float:
    """The models' SQL as it ran, each written to a temporary table of the same rows."""
    with connect(Role.OWNER) as connection:
        models = connection.execute(
            "select b.build_id, b.model, b.sql from ops.build_sql b join pg_tables t on t.tablename = b.model"
            " order by 1, 2"
        ).fetchall()

    def run() -> None:
        for model in models:
            with connect(
                Role.OWNER, f"-c pantau.build={model['build_id']} -c enable_nestloop=off"
            ) as connection:
                connection.execute(f"create temporary table bare on commit drop as {model['sql']}")

    return seconds(run)


def render() -> float:
    """WeasyPrint on the same pages: neither tags nor PDF/A, nothing attached or checked."""
    import weasyprint

    from pantau.report import LANGUAGES
    from pantau.report.national import FOLDER, national_view
    from pantau.report.pdf import Assets, assets, html

    with connect(Role.OWNER) as connection:
        releases = connection.execute(
            "select * from ops.release where reason <> 'opening' order by id"
        ).fetchall()
    folder, made = settings.templates / FOLDER, []
    for release in releases:
        for language in LANGUAGES:
            view, source = national_view(
                release["context"], release["release_hash"], release["page_hash"], language
            )
            made.append((html(folder, view), Assets(assets(folder, source.charts))))
    return seconds(
        lambda: [weasyprint.HTML(string=text, url_fetcher=fetcher).write_pdf() for text, fetcher in made]
    )


def audit() -> float:
    """Write the bytes of all audit pages."""
    folder = settings.out / "audit"
    pages = [page.read_bytes() for page in folder.rglob("*.html")]

    def write() -> None:
        with tempfile.TemporaryDirectory(dir=settings.var) as target:
            for number, page in enumerate(pages):
                (Path(target) / str(number)).write_bytes(page)

    return seconds(write)


def airflow(environment: dict[str, str]) -> tuple[int, float]:
    """How many tasks the demo ran, and as many times an empty mapped task."""
    with psycopg.connect(airflow_url()) as connection:
        # Its log alone knows them all: `dag.test` forgets a DAG's earlier runs.
        row = connection.execute("select count(*) from log where event = 'running'").fetchone()
    assert row is not None
    with tempfile.TemporaryDirectory(dir=settings.var) as folder:
        (Path(folder) / "empty.py").write_text(EMPTY_DAG)
        ran = subprocess.run(
            [sys.executable, "-c", RUN_EMPTY, folder], check=True, capture_output=True, text=True,
            env={**environment, "AIRFLOW__CORE__DAGS_FOLDER": folder}, cwd=settings.root,
        )  # fmt: skip
    tasks = int(row[0])
    return tasks, tasks * float(ran.stdout.split()[-1]) / (EMPTY_TASKS + 1)


PARTS: dict[str, tuple[str, Callable[[], float]]] = {
    "pull": ("hash and write the bytes", pull),
    "read": ("COPY of the typed rows", read),
    "check": ("the rules' own selects", check),
    "dbt": ("the tables' SQL as it ran", dbt),
    "freeze": ("COPY of the figures", freeze),
    "render": ("WeasyPrint without tags and PDF/A", render),
    "audit": ("write the bytes of the pages", audit),
}
