"""How many examples a fuzz test tries: a fixed few in `make test`, many new ones in `make fuzz`."""

from __future__ import annotations

import os
from typing import Final

from hypothesis import HealthCheck, Phase, settings

FACTOR_VARIABLE: Final = "JUKINET_FUZZ"
"""How many times more examples are tried; unset: the same few in every run."""


def examples(count: int, *, shrinks: bool = True) -> settings:
    """Return the settings of a test that tries *count* examples in `make test`.

    Where one example takes seconds, a finding is better shown as it is than shrunk for an hour.
    """
    factor = os.environ.get(FACTOR_VARIABLE)
    return settings(
        max_examples=count * int(factor or 1),
        derandomize=factor is None,
        deadline=None,
        phases=[Phase.generate, *([Phase.shrink] if shrinks else [])],
        # Databases and brokers serve all examples of a test: each uses ids of its own.
        suppress_health_check=[
            HealthCheck.function_scoped_fixture,
            HealthCheck.too_slow,
            HealthCheck.data_too_large,
            HealthCheck.large_base_example,
        ],
    )
