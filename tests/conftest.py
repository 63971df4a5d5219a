from __future__ import annotations

from hypothesis import settings

# A busy machine is no reason to fail: what must be fast has a test of its own.
settings.register_profile("jukinet", deadline=None)
settings.load_profile("jukinet")

pytest_plugins = [
    "tests.fixtures.servers",
    "tests.fixtures.databases",
    "tests.fixtures.virtual_hosts",
    "tests.fixtures.country",
    "tests.fixtures.telling",
    "tests.fixtures.installation",
    "tests.fixtures.nation",
    "tests.fixtures.own_servers",
    "tests.fixtures.running",
]
