"""What the management API's answers mean."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from jukinet_mq.broker.management import ManagementClient

OVERVIEW = {"rabbitmq_version": "3.10.8", "erlang_version": "25.2.3", "cluster_name": "national"}
WELL = {"running": True, "mem_alarm": False, "disk_free_alarm": False, "partitions": []}


@pytest.mark.parametrize(
    ("node", "trouble"),
    [
        (WELL, ""),
        ({"running": True}, ""),
        ({"running": False}, "does not run"),
        (WELL | {"mem_alarm": True}, "has a memory alarm"),
        (
            WELL | {"disk_free_alarm": True, "partitions": ["rabbit@b", "rabbit@c"]},
            "has a disk alarm and is divided from rabbit@b, rabbit@c",
        ),
    ],
)
async def test_node_in_trouble_makes_the_broker_unhealthy(
    node: dict[str, Any], trouble: str
) -> None:
    """Alarms, death and division are told apart; before 3.10's statistics come, all is well."""

    def answer(request: httpx.Request) -> httpx.Response:
        nodes = [{"name": "rabbit@a"} | node]
        return httpx.Response(200, json=nodes if request.url.path == "/api/nodes" else OVERVIEW)

    transport = httpx.MockTransport(answer)
    async with httpx.AsyncClient(transport=transport, base_url="http://broker/api/") as http:
        overview = await ManagementClient(http, vhost="/").overview()

    assert [trouble] == [one.trouble for one in overview.nodes]
    assert overview.healthy is not bool(trouble)
