"""`jukinet trust`: keys, certificates and the trust store of each tier."""

from __future__ import annotations

import re
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer
from typer.core import TyperCommand

from jukinet_mq.cli import options, running, terminal
from jukinet_mq.cli.ending import work_is_done
from jukinet_mq.errors import JukinetError, UnknownKeyError, UntrustedSignerError
from jukinet_mq.nodes import Tier

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from jukinet_mq.config import Settings
    from jukinet_mq.nodes import Node
    from jukinet_mq.trust.keys import EnrolledKey

HELP = """
Who may be believed: a signing and a sealing key per node, enrolled in each tier's trust store.

`init` makes a certificate authority for development with keys of all nodes. In production a
node makes its own keys, and the others enrol its certificate.

    $ jukinet trust init
    $ jukinet trust enrol 131016 131016.cert.pem --ca authority.pem
    $ jukinet trust rotate 131016 --apply
    $ jukinet trust revoke --node 131016 --apply
"""

app = typer.Typer(help=HELP, no_args_is_help=True)

_DASHED_KID: Final = re.compile(r"-[A-Za-z0-9_-]{42}")


class _KidCommand(TyperCommand):
    """Takes a kid for a kid: one of 64 thumbprints (RFC 7638) begins with a dash."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        dashed = [arg for arg in args if _DASHED_KID.fullmatch(arg)]
        if dashed and "--" not in args:
            args = [*(arg for arg in args if arg not in dashed), "--", *dashed]
        return super().parse_args(ctx, args)


@app.command()
def init(node: options.NodesOption = None, tier: options.Tiers = None) -> None:
    """Make keys under JUKINET_HOME/trust and enrol them in the trust stores; keeps what exists.

    With --node: only for these nodes and the ones that they answer to. A node whose certificates
    cannot be enrolled, such as ended ones, keeps no other from it and is named at the end.
    """
    from jukinet_mq.clock import utc_now
    from jukinet_mq.trust import pki

    given = running.settings()
    wanted = _with_superiors(node)
    now = utc_now()
    with terminal.console(stderr=True).status(f"making keys of {len(wanted):,} nodes ..."):
        issued = pki.init(given.trust, wanted, now=now)
        keys, faults = certified(given, wanted, now)
    terminal.say(
        f"[green]✓[/] keys of {len(issued.made):,} nodes made, of {len(issued.kept):,} kept, in "
        f"{terminal.escape(given.trust)}"
    )
    tiers = tier or [t for t in Tier if running.has_database(given, t)]
    if not tiers:
        terminal.say(
            "[yellow]![/] no database is configured, so nothing is enrolled. Run `jukinet services "
            "up` and `jukinet db upgrade`, then this again."
        )
    running.run(enrol_all(given, tiers, keys))
    work_is_done()
    end_with(faults)


@app.command()
def enrol(
    node: options.NodeArgument,
    certificate: Annotated[
        Path, typer.Argument(metavar="CERT", help="PEM with its certificates.", dir_okay=False)
    ],
    *,
    ca: Annotated[
        Path | None,
        typer.Option(metavar="PEM", help="The authority; default: that of JUKINET_HOME/trust."),
    ] = None,
    tier: options.Tiers = None,
) -> None:
    """Enrol a node's certificates, after holding them against the authority.

    Old keys stay enrolled until they end or are revoked: that is how a node rolls its keys.
    """
    from jukinet_mq.clock import utc_now
    from jukinet_mq.trust import pki

    given = running.settings()
    now = utc_now()
    [wanted] = running.nodes_of([node])
    authority = pki.read_ca(ca or given.trust / "ca.cert.pem", at=now)
    keys = pki.read_certificates(certificate, authority, at=now)
    for key in keys:
        if key.node != wanted.code:
            raise UntrustedSignerError(
                f"{certificate} names node {key.node}, not {wanted.code}; ask {wanted.code} for "
                "its own certificate"
            )
    running.run(enrol_all(given, running.tiers_of(given, tier), keys))
    work_is_done()


@app.command(cls=_KidCommand)
def revoke(
    kid: Annotated[
        list[str] | None, typer.Argument(metavar="KID", help="Keys, by their kid.")
    ] = None,
    *,
    node: options.NodeOption = None,
    tier: options.Tiers = None,
    apply: options.Apply = False,
) -> None:
    """Believe nothing more under these keys; workers learn of it within 20 seconds.

    There is no way back: a node whose keys were revoked needs new ones.
    """
    if bool(kid) is (node is not None):
        raise typer.BadParameter("name keys by their KID, or all keys of a node with --node")
    given = running.settings()
    code = None if node is None else running.nodes_of([node])[0].code
    found: set[str] = set()
    for one in running.tiers_of(given, tier):
        keys = running.run(_revoke(given, one, kid or (), code, apply=apply))
        found |= {key.kid for key in keys}
        for key in keys:
            said = "revoked" if apply else "would revoke"
            terminal.say(
                f"{one}: {said} {key.use.name.lower()} key {key.kid} of "
                f"{terminal.node_label(key.node)}"
            )
    if found and not apply:
        terminal.say("[yellow]Nothing was changed.[/] Add --apply to do it.")
    if apply:
        work_is_done()
    missed = sorted(set(kid or ()) - found)
    if missed or not found:
        raise UnknownKeyError(
            f"no key {', '.join(missed) or f'of {node}'} is enrolled and not yet revoked; see "
            "`jukinet trust show NODE`"
        )


@app.command()
def show(
    node: options.NodeArgument, *, tier: options.Tiers = None, as_json: options.Json = False
) -> None:
    """Show a node's keys: in each trust store, and whether the private ones are here."""
    from jukinet_mq.clock import utc_now

    given = running.settings()
    [wanted] = running.nodes_of([node])
    now = utc_now()
    trouble = _trouble(given, wanted)
    found = [
        (one, key)
        for one in running.tiers_of(given, tier)
        for key in running.run(_keys_of(given, one, wanted))
    ]
    if as_json:
        keys = [{"tier": one, **_facts(key, now)} for one, key in found]
        here = {"private_keys_here": trouble is None, "private_keys_trouble": trouble}
        terminal.print_json({"node": wanted.code, **here, "keys": keys})
        return
    said = "are here" if trouble is None else f"are not here, or cannot be used: {trouble}"
    terminal.say(
        f"[bold]{terminal.node_label(wanted.code)}[/]: its private keys {terminal.escape(said)}"
    )
    terminal.print_table(
        ["trust store of", "for", "kid", "valid from", "until", "state"],
        [
            (one, key.use.name.lower(), key.kid, f"{key.valid_from:%Y-%m-%d}",
             f"{key.valid_until:%Y-%m-%d}", _state(key, now))
            for one, key in found
        ],
    )  # fmt: skip


def _trouble(given: Settings, node: Node) -> str | None:
    """Say why the private keys of *node* cannot be used here; None if they can."""
    from jukinet_mq.errors import NodeKeyError
    from jukinet_mq.trust.key_files import read_node

    try:
        read_node(given.trust, node.code)
    except NodeKeyError as error:
        return f"{error} [{error.reason}]"
    return None


def _with_superiors(codes: Sequence[str] | None) -> list[Node]:
    """Return the nodes and everybody they answer to: a body is sealed to those as well."""
    from jukinet_mq.nodes import directory

    if not codes:
        return list(directory().nodes())
    wanted: dict[str, Node] = {}
    for found in running.nodes_of(codes):
        one: Node | None = found
        while one is not None:
            wanted[one.code] = one
            one = directory().parent(one.code)
    return list(wanted.values())


def certified(
    given: Settings, nodes: Sequence[Node], now: datetime
) -> tuple[list[EnrolledKey], list[JukinetError]]:
    """Return the keys of these nodes that the authority has certified and that are not over.

    With what is wrong at the nodes that have none such.
    """
    from jukinet_mq.trust import pki

    ca = pki.read_ca(given.trust / "ca.cert.pem", at=now)
    keys: list[EnrolledKey] = []
    faults: list[JukinetError] = []
    for one in nodes:
        try:
            keys += pki.read_certificates(pki.certificate_path(given.trust, one.code), ca, at=now)
        except JukinetError as error:
            faults.append(error)
    return keys, faults


def end_with(faults: Sequence[JukinetError]) -> None:
    """Name the nodes at which something was wrong; all that could be done is done.

    Raises:
        JukinetError: The last of them; the others are printed.
    """
    for fault in faults[:-1]:
        terminal.say(f"[red]✗[/] {terminal.escape(fault)}")
    if faults:
        raise faults[-1]


async def enrol_all(given: Settings, tiers: Iterable[Tier], keys: Sequence[EnrolledKey]) -> None:
    """Enrol *keys* in the trust stores of *tiers*, and say so."""
    from jukinet_mq.nodes import directory
    from jukinet_mq.store import trust as store
    from jukinet_mq.trust.store import check_enrolment

    for key in keys:
        check_enrolment(key, directory=directory())
    for tier in tiers:
        async with running.open_database(given, tier) as db, db.transaction() as tx:
            new = await store.enrol(tx, keys)
        terminal.say(f"[green]✓[/] {tier}: {new:,} keys enrolled, {len(keys) - new:,} were already")


async def _revoke(
    given: Settings, tier: Tier, kids: Sequence[str], node: str | None, *, apply: bool
) -> list[EnrolledKey]:
    from jukinet_mq.store import trust as store

    async with running.open_database(given, tier) as db, db.transaction() as tx:
        keys = [
            key
            for key in await store.load(tx)
            if key.revoked_at is None and (key.kid in kids or key.node == node)
        ]
        if apply:
            await store.revoke(tx, [key.kid for key in keys])
    return keys


async def _keys_of(given: Settings, tier: Tier, node: Node) -> list[EnrolledKey]:
    from jukinet_mq.store import trust as store

    async with running.open_database(given, tier) as db, db.transaction() as tx:
        keys = [key for key in await store.load(tx) if key.node == node.code]
    return sorted(keys, key=lambda key: (key.use, key.valid_from))


def _facts(key: EnrolledKey, now: datetime) -> dict[str, object]:
    return {
        "kid": key.kid,
        "use": key.use,
        "jwk": key.to_jwk(),
        "valid_from": key.valid_from,
        "valid_until": key.valid_until,
        "revoked_at": key.revoked_at,
        "state": str(_state(key, now)),
    }


def _state(key: EnrolledKey, now: datetime) -> object:
    if key.revoked_at is not None:
        return terminal.styled("revoked", "red")
    if now < key.valid_from:
        return terminal.styled("not yet", "yellow")
    if now >= key.valid_until:
        return terminal.styled("over", "yellow")
    return terminal.styled("valid", "green")
