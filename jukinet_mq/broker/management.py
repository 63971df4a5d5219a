"""RabbitMQ's management API: what operators, `doctor` and the topology need of it.

Every call has a deadline and is tried once; who wants a second attempt decides that.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final
from urllib.parse import quote, unquote, urlsplit, urlunsplit

import httpx

from jukinet_mq.errors import (
    BrokerAccessError,
    BrokerUnavailableError,
    DeadlineExceededError,
    TopologyDriftError,
)

TIMEOUT: Final = timedelta(seconds=60)
"""The broker itself hangs up on a request that it has not answered after a minute."""

POLL: Final = timedelta(milliseconds=100)
_QUEUE_COLUMNS: Final = "name,type,state,messages_ready,messages_unacknowledged,consumers,members"


@dataclass(frozen=True, slots=True)
class BrokerNode:
    """One node of the cluster.

    Attributes:
        memory_alarm: It has stopped all publishers for want of memory; None where it does not
            say, as in its first seconds.
        disk_alarm: It has stopped all publishers for want of disk; None as above.
        divided_from: Nodes that it no longer keeps its records with, though it reaches them:
            up to 3.13 a partition that ends just as it is noticed may leave that behind.
    """

    name: str
    running: bool
    memory_alarm: bool | None
    disk_alarm: bool | None
    divided_from: tuple[str, ...]

    @property
    def trouble(self) -> str:
        """What is wrong with it, for a person; empty if nothing is."""
        if not self.running:
            return "does not run"
        wrong = {
            "has a memory alarm": self.memory_alarm,
            "has a disk alarm": self.disk_alarm,
            f"is divided from {', '.join(self.divided_from)}": self.divided_from,
        }
        return " and ".join(said for said, holds in wrong.items() if holds)

    @property
    def says_all(self) -> bool:
        """Whether it says of everything that could be wrong whether it is."""
        return not self.running or None not in (self.memory_alarm, self.disk_alarm)


@dataclass(frozen=True, slots=True)
class Overview:
    """The broker as a whole."""

    version: str
    erlang_version: str
    cluster: str
    nodes: tuple[BrokerNode, ...]

    @property
    def healthy(self) -> bool:
        """Whether every node runs with all others and none says that it stops the publishers."""
        return not any(node.trouble for node in self.nodes)

    @property
    def says_all(self) -> bool:
        """Whether no node keeps to itself what could be wrong with it."""
        return all(node.says_all for node in self.nodes)


@dataclass(frozen=True, slots=True)
class QueueState:
    """One queue now; a quorum queue reports its counts with up to 5 s of delay.

    Counts are None where the broker does not say them: of a queue made a moment ago, or where its
    statistics are switched off.

    Attributes:
        ready: Waiting for a consumer.
        unacknowledged: With a consumer.
        members: Broker nodes that hold a copy; none known of a queue made a moment ago.
    """

    name: str
    type: str
    state: str
    ready: int | None
    unacknowledged: int | None
    consumers: int | None
    members: tuple[str, ...]


class ManagementClient:
    """The management API of one broker, one virtual host and one login."""

    def __init__(self, http: httpx.AsyncClient, *, vhost: str) -> None:
        self._http = http
        self.vhost = vhost
        self.vhost_path: Final = quote(vhost, safe="")

    @classmethod
    @asynccontextmanager
    async def open(cls, url: str, *, vhost: str = "/") -> AsyncIterator[ManagementClient]:
        """Make a client for *url*, which holds the login (`http://user:password@host:port`)."""
        parts = urlsplit(url)
        place = parts.netloc.rpartition("@")[2]
        login = httpx.BasicAuth(unquote(parts.username or ""), unquote(parts.password or ""))
        base = urlunsplit((parts.scheme, place, f"{parts.path.rstrip('/')}/api/", "", ""))
        seconds = TIMEOUT.total_seconds()
        async with httpx.AsyncClient(base_url=base, auth=login, timeout=seconds) as http:
            yield cls(http, vhost=vhost)

    # --- What operators and `doctor` ask --------------------------------------------------

    async def overview(self) -> Overview:
        """Return version, cluster and nodes with their alarms."""
        found = await self.get("overview")
        nodes = await self.get("nodes", columns="name,running,mem_alarm,disk_free_alarm,partitions")
        return Overview(
            version=found["rabbitmq_version"],
            erlang_version=found["erlang_version"],
            cluster=found["cluster_name"],
            nodes=tuple(map(_node, nodes)),
        )

    async def queues(self) -> tuple[QueueState, ...]:
        """Return every queue of the virtual host, by name; the nation's take about 0.3 s."""
        found = await self.get(f"queues/{self.vhost_path}", columns=_QUEUE_COLUMNS)
        return tuple(sorted(map(_queue, found), key=lambda queue: queue.name))

    async def queue(self, name: str) -> QueueState:
        """Return one queue.

        Raises:
            TopologyDriftError: There is none of this name.
        """
        return _queue(await self.get(f"queues/{self.vhost_path}/{quote(name, safe='')}"))

    async def queues_at_risk(self) -> tuple[str, ...]:
        """Return the queues that would stop with the node that is asked, by name.

        A copy on a stopped node counts for nothing, nor does one that neither leads nor follows.
        """
        found = (await self.get("health/checks/node-is-quorum-critical")).get("queues", ())
        return tuple(sorted(q["name"] for q in found if q["virtual_host"] == self.vhost))

    async def wait_until_ready(self, timeout: timedelta = TIMEOUT) -> Overview:
        """Return as soon as the API answers and every node is healthy.

        Raises:
            DeadlineExceededError: It did not within *timeout*; names what it waited for.
        """
        waited_for = "the management API"
        try:
            async with asyncio.timeout(timeout.total_seconds()):
                while True:
                    try:
                        found = await self.overview()
                    except BrokerUnavailableError:
                        waited_for = "the management API"
                    else:
                        if found.healthy:
                            return found
                        waited_for = "all nodes to run without an alarm"
                    await asyncio.sleep(POLL.total_seconds())
        except TimeoutError:
            raise DeadlineExceededError(
                f"waited {timeout.total_seconds():g} s for {waited_for} of RabbitMQ; "
                "look into the broker's log"
            ) from None

    # --- What changes the broker ------------------------------------------------------------

    async def put_vhost(self) -> None:
        """Make sure that the virtual host exists."""
        await self.put(f"vhosts/{self.vhost_path}", {})

    async def delete_vhost(self) -> None:
        """Delete the virtual host with all it holds; 1,790 queues take RabbitMQ over a minute."""
        await self.delete(f"vhosts/{self.vhost_path}")

    async def set_user(self, name: str, password: str, *, tags: tuple[str, ...] = ()) -> None:
        """Make a user, or give it this password and these tags."""
        await self.put(
            f"users/{quote(name, safe='')}", {"password": password, "tags": ",".join(tags)}
        )

    async def delete_user(self, name: str) -> None:
        """Delete a user with its permissions; its connections are closed."""
        await self.delete(f"users/{quote(name, safe='')}")

    async def set_permissions(self, user: str, *, configure: str, write: str, read: str) -> None:
        """Give a user these permissions in the virtual host, in place of all it had."""
        await self.put(
            f"permissions/{self.vhost_path}/{quote(user, safe='')}",
            {"configure": configure, "write": write, "read": read},
        )

    async def import_definitions(self, definitions: Mapping[str, Any]) -> None:
        """Import *definitions*; what exists is kept, users and permissions are replaced."""
        await self.post("definitions", definitions)

    # --- The one way to the broker ----------------------------------------------------------

    async def get(self, path: str, **params: str) -> Any:  # noqa: ANN401 - JSON
        """Return the parsed answer of a GET below `/api/`."""
        response = await self._request("GET", path, params=params)
        try:
            return response.json()
        except ValueError:
            raise BrokerUnavailableError(
                f"{response.url.copy_with(username=None, password=None)} answers no JSON; does "
                "JUKINET_MANAGEMENT_URL name RabbitMQ's management API?"
            ) from None

    async def put(self, path: str, body: Mapping[str, Any]) -> None:
        """PUT *body* below `/api/`."""
        await self._request("PUT", path, json=body)

    async def post(self, path: str, body: Mapping[str, Any]) -> None:
        """POST *body* below `/api/`."""
        await self._request("POST", path, json=body)

    async def delete(self, path: str) -> None:
        """DELETE what is below `/api/`."""
        await self._request("DELETE", path)

    async def _request(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        json: Mapping[str, Any] | None = None,
    ) -> httpx.Response:
        """Send one request and turn every failure into one of ours.

        Raises:
            BrokerUnavailableError: No answer in time, or the broker is not able to.
            BrokerAccessError: The login is refused, or refused this.
            TopologyDriftError: What is named does not exist, or contradicts what does.
        """
        asked = f"{method} {self._http.base_url.copy_with(username=None, password=None)}{path}"
        try:
            response = await self._http.request(method, path, params=params, json=json)
        except httpx.HTTPError as error:
            raise BrokerUnavailableError(
                f"RabbitMQ's management API does not answer {asked} ({type(error).__name__}); "
                "is the broker up and the plugin rabbitmq_management enabled?"
            ) from error
        match response.status_code:
            case code if code < httpx.codes.BAD_REQUEST:
                return response
            case httpx.codes.SERVICE_UNAVAILABLE if '"queues":' in response.text:
                return response  # what a health check has found
            case httpx.codes.UNAUTHORIZED | httpx.codes.FORBIDDEN:
                raise BrokerAccessError(
                    f"RabbitMQ refuses {asked} with {response.status_code}; check the login of "
                    "the management address and its tags"
                )
            case httpx.codes.BAD_REQUEST | httpx.codes.NOT_FOUND | httpx.codes.CONFLICT:
                raise TopologyDriftError(
                    f"RabbitMQ answers {asked} with {response.status_code}: "
                    f"{response.text[:200]}; run `jukinet topology check`"
                )
            case code:
                raise BrokerUnavailableError(
                    f"RabbitMQ answers {asked} with {code}; look into the broker's log"
                )


def _node(found: Mapping[str, Any]) -> BrokerNode:
    return BrokerNode(
        name=found["name"],
        running=found["running"],
        memory_alarm=found.get("mem_alarm"),
        disk_alarm=found.get("disk_free_alarm"),
        divided_from=tuple(found.get("partitions", ())),
    )


def _queue(found: Mapping[str, Any]) -> QueueState:
    return QueueState(
        name=found["name"],
        type=found.get("type", "classic"),
        state=found.get("state", "unknown"),
        ready=found.get("messages_ready"),
        unacknowledged=found.get("messages_unacknowledged"),
        consumers=found.get("consumers"),
        members=tuple(found.get("members", ())),
    )
