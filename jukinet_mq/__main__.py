"""`python -m jukinet_mq` is `jukinet`."""

from __future__ import annotations

from jukinet_mq.cli import main

main()
