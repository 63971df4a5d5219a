"""What the management API's answers mean."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from jukinet_mq.broker.management import ManagementClient
from jukinet_mq.errors import BrokerUnavailableError

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


async def asked_for_risk(answer: httpx.Response) -> tuple[str, ...]:
    """Ask for the queues at risk, with *answer* for an answer."""
    transport = httpx.MockTransport(lambda _request: answer)
    async with httpx.AsyncClient(transport=transport, base_url="http://broker/api/") as http:
        return await ManagementClient(http, vhost="/").queues_at_risk()


async def test_queues_at_risk_are_named_and_those_of_other_virtual_hosts_are_not() -> None:
    """The health check answers 503 when it has found some."""
    some = [
        {"name": name, "virtual_host": vhost} for vhost, name in (("/", "jlis"), ("other", "cs"))
    ]

    assert ("jlis",) == await asked_for_risk(httpx.Response(503, json={"queues": some}))
    assert () == await asked_for_risk(httpx.Response(200, json={"status": "ok"}))


async def test_broker_that_is_not_able_to_answer_has_not_said_that_all_is_well() -> None:
    """It answers 503 as well."""
    with pytest.raises(BrokerUnavailableError):
        await asked_for_risk(httpx.Response(503, json={"error": "starting"}))
