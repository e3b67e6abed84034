"""docker-compose.yml and the Dockerfile start what `pantau up` starts, bundle no secret and open nothing to others."""

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from pantau.processes import PROCESSES
from pantau.settings import Settings, settings

SERVICES: dict[str, Any] = yaml.safe_load((settings.root / "docker-compose.yml").read_text())["services"]
OURS = {name: service for name, service in SERVICES.items() if "build" in service}


def test_it_is_a_compose_file() -> None:
    schema = json.loads((settings.root / "tests/fixtures/compose/compose-spec.json").read_text())
    compose = yaml.safe_load((settings.root / "docker-compose.yml").read_text())
    jsonschema.Draft202012Validator(schema).validate(compose)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.Draft202012Validator(schema).validate({**compose, "services": {"x": {"imagination": "y"}}})


def test_its_services_are_exactly_the_registered_processes() -> None:
    assert {name: service["command"] for name, service in OURS.items()} == {
        name: ["process", name] for name in PROCESSES
    }
    assert set(SERVICES) - set(OURS) == {"database"}


@pytest.mark.parametrize("name", sorted(OURS))
def test_each_is_checked_by_itself_and_waits_for_the_migration(name: str) -> None:
    service = OURS[name]
    if PROCESSES[name].ends:
        assert service["depends_on"] == {"database": {"condition": "service_healthy"}}
        assert service["restart"] == "no"  # else one that cannot end well hangs `up` without a word
        return
    assert service["healthcheck"]["test"] == ["CMD", "pantau", "process", name, "--check"]
    assert service["depends_on"] == {
        "database": {"condition": "service_healthy"},  # by this it is stopped last
        "init": {"condition": "service_completed_successfully"},
    }
    assert service["restart"] == "unless-stopped"


def test_the_simulator_runs_in_the_demo_alone() -> None:
    assert {name for name, service in OURS.items() if service.get("profiles")} == {"simulator"}
    assert OURS["simulator"]["profiles"] == ["demo"]


def test_no_secret_is_bundled() -> None:
    text = (settings.root / "docker-compose.yml").read_text()
    for line in text.splitlines():
        for word in ("PASSWORD", "SECRET", "FERNET", "postgresql://"):
            if word in line and not line.lstrip().startswith(("#", 'POSTGRES_PASSWORD: ""')):
                assert re.search(r"\$\{[A-Z_]+:\?", line), line
    assert set(SERVICES["database"]["environment"]) == {"POSTGRES_PASSWORD"}


def test_the_administrator_is_known_to_the_set_up_alone() -> None:
    for name, service in OURS.items():
        environment = service["environment"]
        assert environment["POSTGRES_PASSWORD"] == ""
        assert ("PANTAU_OWNER_URL" in environment) == PROCESSES[name].ends
        assert "://pantau:" in environment["DATABASE_URL"]


def test_everything_is_published_on_loopback_alone() -> None:
    ports = [port for service in SERVICES.values() for port in service.get("ports", [])]
    assert len(ports) == 2
    assert all(port.startswith("127.0.0.1:") for port in ports)


def test_data_lies_in_named_volumes() -> None:
    volumes = yaml.safe_load((settings.root / "docker-compose.yml").read_text())["volumes"]
    used = {mount.split(":")[0] for service in SERVICES.values() for mount in service["volumes"]}
    assert used == set(volumes)


def test_env_makes_secrets_once_and_for_their_owner_alone(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    script = tmp_path / "bin" / "env"
    script.write_bytes((settings.root / "bin" / "env").read_bytes())

    def run(*arguments: str) -> str:
        subprocess.run(["bash", str(script), *arguments], check=True, capture_output=True)
        return (tmp_path / ".env").read_text()

    first = run("demo")
    assert (tmp_path / ".env").stat().st_mode & 0o777 == 0o600
    secrets = dict(re.findall(r"^(\w+_PASSWORD)=([0-9a-f]{48})$", first, re.M))
    assert set(secrets) == {"POSTGRES_PASSWORD", "DATABASE_PASSWORD"}
    assert len(set(secrets.values())) == 2
    assert "COMPOSE_PROFILES=demo" in first
    assert run() == first
    (tmp_path / ".env").write_text("POSTGRES_PASSWORD=x\nAIRFLOW_CONN_A=b\n")  # of before the roles
    with pytest.raises(subprocess.CalledProcessError) as refused:
        run()
    assert b"before the roles" in refused.value.stderr
    (tmp_path / ".env").unlink()
    second = run()
    assert "demo" not in second
    assert not [secret for secret in secrets.values() if secret in second]


def test_compose_itself_accepts_it_with_secrets_and_not_without(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    for name in ("docker-compose.yml", "bin/env"):
        (tmp_path / name).write_bytes((settings.root / name).read_bytes())

    def config() -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["docker-compose", "config"], cwd=tmp_path, capture_output=True, text=True, check=False
        )

    without = config()
    assert without.returncode != 0
    assert "make env" in without.stderr or ".env not found" in without.stderr
    subprocess.run(["bash", "bin/env", "demo"], cwd=tmp_path, check=True, capture_output=True)
    made = config()
    assert made.returncode == 0, made.stderr
    assert set(yaml.safe_load(made.stdout)["services"]) == set(SERVICES)


@pytest.mark.parametrize(
    ("given", "airflow", "audit"),
    [
        ({}, "http://localhost:8080", "http://localhost:8090"),
        ({"AIRFLOW_PORT": "18080", "AUDIT_PORT": "18090"}, "http://localhost:18080", "http://localhost:18090"),
        ({"AIRFLOW_PORT": "18080", "PANTAU_AIRFLOW_URL": "https://a.example"}, "https://a.example",
         "http://localhost:8090"),
    ],
)  # fmt: skip
def test_ports_that_are_set_in_env_alone_lead_people_there(
    given: dict[str, str], airflow: str, audit: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def filled(text: str) -> str:
        """As both composes fill in a setting: a default within a default is left as it is by the older one."""
        return re.sub(r"\$\{(\w+):-(\w+)\}", lambda m: given.get(m[1]) or m[2], text)

    for name in sorted(OURS):
        environment = {k: filled(v) for k, v in OURS[name]["environment"].items() if "PASSWORD" not in k + v}
        assert not [v for v in environment.values() if "$" in v]
        with monkeypatch.context() as patch:
            for variable, value in {
                **given,
                **environment,
            }.items():  # .env reaches the containers, and this wins
                patch.setenv(variable, value)
            told = Settings()
        assert (told.airflow_url, told.audit_url) == (airflow, audit)
    assert filled(OURS["apiserver"]["ports"][0]) == f"127.0.0.1:{given.get('AIRFLOW_PORT', '8080')}:8080"
    assert filled(OURS["audit-pages"]["ports"][0]) == f"127.0.0.1:{given.get('AUDIT_PORT', '8090')}:8090"


def _instructions() -> list[tuple[str, str]]:
    text = re.sub(r"\\\n", " ", (settings.root / "Dockerfile").read_text())
    lines = [line.strip() for line in text.splitlines() if line.strip() and not line.startswith("#")]
    return [(word, rest.strip()) for word, _, rest in (line.partition(" ") for line in lines)]


def test_the_image_takes_its_environment_from_the_lock_and_runs_as_nobody_special() -> None:
    instructions = _instructions()
    assert {word for word, _ in instructions} <= {
        "FROM", "WORKDIR", "COPY", "RUN", "ENV", "USER", "ENTRYPOINT", "CMD",
    }  # fmt: skip
    runs = " ".join(rest for word, rest in instructions if word == "RUN")
    assert "bin/setup" in runs
    assert not re.search(r"pip install|curl|wget", runs)
    assert [rest for word, rest in instructions if word == "USER"] == ["10001"]
    assert ("ENTRYPOINT", '["pantau"]') in instructions
    for word, rest in instructions:
        if word == "COPY":
            assert all((settings.root / source).exists() for source in rest.split()[:-1]), rest
