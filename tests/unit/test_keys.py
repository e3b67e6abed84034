"""Keys: made once, whole, and for their owner alone; found again whoever asks."""

import base64
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from pantau import keys
from pantau.runner import environment
from pantau.settings import settings


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "var", tmp_path / "var")
    monkeypatch.setattr(settings, "database_url", "postgresql://u:p@127.0.0.1:1/pantau")


def test_they_are_made_once_even_by_many_at_the_same_time() -> None:
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda _: keys.airflow(), range(8)))
    assert all(each == made[0] for each in made)
    assert len(base64.urlsafe_b64decode(made[0]["AIRFLOW__CORE__FERNET_KEY"])) == 32
    assert len(set(made[0].values())) == 3
    assert len(keys.admin_password()) >= 16
    assert keys.admin_password() == keys.admin_password()


def test_only_their_owner_may_read_them() -> None:
    keys.airflow()
    keys.admin_password()
    kept = sorted((settings.var / "airflow").iterdir())
    assert [path.name for path in kept] == ["admin.password", "keys.json"]
    assert [path.stat().st_mode & 0o777 for path in kept] == [0o600, 0o600]


def test_a_key_from_the_environment_is_heard_first(monkeypatch: pytest.MonkeyPatch) -> None:
    assert environment()["AIRFLOW__CORE__FERNET_KEY"] == keys.airflow()["AIRFLOW__CORE__FERNET_KEY"]
    monkeypatch.setenv("AIRFLOW__CORE__FERNET_KEY", "ours")
    assert environment()["AIRFLOW__CORE__FERNET_KEY"] == "ours"
