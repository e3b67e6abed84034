"""Where things are. From the environment (`PANTAU_…`, `DATABASE_URL`), else inside the checkout."""

from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

_CHECKOUT = Path(__file__).resolve().parent.parent


class Settings(BaseSettings):
    """Paths and the database. Secrets of feeds are not here: they are Airflow connections."""

    model_config = SettingsConfigDict(env_prefix="PANTAU_", frozen=False)

    root: Path = _CHECKOUT
    var: Path = _CHECKOUT / "var"  # state that a run makes: database, landed bytes, logs
    inbox: Path = _CHECKOUT / "inbox"  # files that people bring
    out: Path = _CHECKOUT / "out"  # reports
    feeds: Path = _CHECKOUT / "feeds"
    expectations: Path = _CHECKOUT / "expectations"
    templates: Path = _CHECKOUT / "report_templates"
    dbt_project: Path = _CHECKOUT / "dbt_project"
    dags: Path = _CHECKOUT / "dags"
    database_url: str = Field(default="", validation_alias="DATABASE_URL")
    owner_url: str = (
        ""  # a login that may make roles and databases, for the set-up alone; empty: DATABASE_URL's
    )
    airflow_database_url: str = Field(default="", validation_alias="AIRFLOW__DATABASE__SQL_ALCHEMY_CONN")
    # The ports at which people reach the two on this machine; in compose those of the host, not of the container.
    audit_port: int = Field(default=8090, validation_alias="AUDIT_PORT")
    airflow_port: int = Field(default=8080, validation_alias="AIRFLOW_PORT")
    # Where readers of a report reach the audit pages, and people Airflow.
    audit_url: str = Field(default_factory=lambda known: f"http://localhost:{known['audit_port']}")
    airflow_url: str = Field(default_factory=lambda known: f"http://localhost:{known['airflow_port']}")
    docs_url: str = ""  # where docs/ can be read, for links to runbooks; empty: a path is named instead
    bind: str = "127.0.0.1"  # the address that our own servers listen on; a container's says 0.0.0.0
    simulator: bool = False  # whether the running system pulls from the simulator
    simulator_host: str = "127.0.0.1"  # the name under which the others reach the simulator
    witness: Path | None = None  # where the ledger's heads are noted; better on another machine's disk
    engineer_mail: str = ""  # the data engineer's address, who is told of late feeds

    @property
    def landing(self) -> Path:
        """Delivered bytes, under their SHA-256."""
        return self.var / "landing"

    @property
    def witness_file(self) -> Path:
        """The ledger's witness."""
        return self.witness or self.var / "witness"


settings = Settings()
