"""A real Chromium for the tests of pages; they are deselected, and named, where none is on the machine."""

import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, sync_playwright

from tests.integration.conftest import simulator  # noqa: F401  a fixture

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "chromium: needs Chromium")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Deselect, and name, the tests in Chromium where it is absent."""
    if CHROMIUM:
        return
    absent = [item for item in items if item.get_closest_marker("chromium")]
    if absent:
        print("\nDeselected, for Chromium is not on this machine:")
        for item in absent:
            print(f"  {item.nodeid}")
        config.hook.pytest_deselected(items=absent)
        items[:] = [item for item in items if item not in absent]


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """The browser, without a network of its own. Ended with the module: its event loop would be in the way of
    tests that start one of their own."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-background-networking"]
        )
        yield browser
        browser.close()
