from __future__ import annotations

pytest_plugins = [
    "tests.fixtures.servers",
    "tests.fixtures.databases",
    "tests.fixtures.virtual_hosts",
    "tests.fixtures.country",
    "tests.fixtures.telling",
    "tests.fixtures.installation",
    "tests.fixtures.nation",
]
