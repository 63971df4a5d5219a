"""The private keys of the nodes that this process hosts, and which of them may sign."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Final

from jukinet_mq.errors import ImpossibleDateError, SigningKeyNotValidError
from jukinet_mq.nodes import NodeCode
from jukinet_mq.trust.key_files import (
    CertifiedKey,
    NodeKeys,
    Signature,
    read_node,
    signature_of,
)
from jukinet_mq.trust.keys import EnrolledKey
from jukinet_mq.trust.sealing import SealingKey
from jukinet_mq.trust.signing import SigningKey

Enrolled = Callable[[str], EnrolledKey | None]
"""Returns the enrolled signing key with a kid, as `TrustStore.signer` does."""

_RENEW: Final = (
    "Make a new key (`jukinet trust rotate {node} --apply`, or as its authority has it) and enrol "
    "its certificate (`jukinet trust enrol {node} CERT`); if that instant is not now, set this "
    "machine's clock."
)


class KeyRing:
    """Private keys under one directory, as `trust.pki` lays it out.

    Holds what it has read, at most one entry per node of the directory; `refresh` reads a
    node's files again if they have changed, `forget` reads all again.

    Attributes:
        root: The directory.
    """

    __slots__ = ("_nodes", "root")

    def __init__(self, root: Path) -> None:
        self.root = root
        self._nodes: dict[NodeCode, tuple[Signature, NodeKeys]] = {}

    def __repr__(self) -> str:
        return f"KeyRing({str(self.root)!r})"

    def signing_key(
        self,
        node: NodeCode,
        at: datetime,
        *,
        time: datetime | None = None,
        enrolled: Enrolled | None = None,
    ) -> SigningKey:
        """Return the newest key of *node* that may sign at the instant *at* of the clock.

        Args:
            node: Who signs.
            at: The signing clock's instant, aware UTC.
            time: What the envelope is dated; keepers want the key to be valid then too.
            enrolled: With it, only a key counts that is enrolled for *node*, and not revoked.

        Raises:
            NodeKeyError: Its files cannot be used.
            SigningKeyNotValidError: No key is valid now; names why, and the end of the last.
            ImpossibleDateError: A key may sign now, and none for an envelope of *time*.
        """
        keys = self._keys(node).signing
        faults = [_fault(one, node, at, enrolled) for one in keys]
        usable = [one for one, fault in zip(keys, faults, strict=True) if fault is None]
        if not usable:
            raise SigningKeyNotValidError(
                f"node {node} cannot sign at {_instant(at)}: {'; '.join(filter(None, faults))}. "
                f"{_RENEW.format(node=node)}",
                node=node,
            )
        for one in usable:
            if time is None or _is_valid(one, time, enrolled):
                return one.key
        raise ImpossibleDateError(
            f"occurred_at: no key of node {node} can sign for {_instant(time or at)}; its oldest "
            f"valid one begins at {_instant(usable[-1].valid_from)} and its newest ends at "
            f"{_instant(usable[0].valid_until)}. Correct it, or leave it out for what happens now.",
            field="occurred_at",
        )

    def signing_keys(self, node: NodeCode) -> Sequence[CertifiedKey]:
        """Return every key of *node* that has a certificate, newest first.

        Raises:
            NodeKeyError: Its files cannot be used.
        """
        return self._keys(node).signing

    def sealing_keys(self, node: NodeCode) -> Sequence[SealingKey]:
        """Return every key of *node* that a body may be sealed to, newest first.

        Raises:
            NodeKeyError: Its files cannot be used.
        """
        return self._keys(node).sealing

    def refresh(self, node: NodeCode) -> None:
        """Read the files of *node* when they are next needed, if they have changed."""
        known = self._nodes.get(node)
        if known is not None and known[0] != signature_of(self.root, node):
            del self._nodes[node]

    def forget(self) -> None:
        """Read every file anew when it is next needed."""
        self._nodes = {}

    def _keys(self, node: NodeCode) -> NodeKeys:
        known = self._nodes.get(node)
        if known is None:
            # Taken before reading: what changes in between is then read once more.
            signature = signature_of(self.root, node)
            known = self._nodes[node] = signature, read_node(self.root, node)
        return known[1]


def _fault(
    one: CertifiedKey, node: NodeCode, at: datetime, enrolled: Enrolled | None
) -> str | None:
    """Say why a key may not sign at *at*; None if it may."""
    kid = one.key.kid
    if at >= one.valid_until:
        return f"the certificate of key {kid} ended at {_instant(one.valid_until)}"
    if at < one.valid_from:
        return f"the certificate of key {kid} begins at {_instant(one.valid_from)}"
    return None if enrolled is None else _fault_of_enrolment(kid, enrolled(kid), node, at)


def _fault_of_enrolment(
    kid: str, known: EnrolledKey | None, node: NodeCode, at: datetime
) -> str | None:
    if known is None or known.node != node:
        return f"key {kid} is not enrolled for it in this tier's trust store"
    if known.is_revoked_at(at):
        return f"key {kid} is revoked since {_instant(known.revoked_at or at)}"
    if not known.is_valid_at(at):
        return (
            f"key {kid} is enrolled from {_instant(known.valid_from)} until "
            f"{_instant(known.valid_until)}"
        )
    return None


def _is_valid(one: CertifiedKey, time: datetime, enrolled: Enrolled | None) -> bool:
    """Say whether keepers take an envelope of *time* under this key, which may sign now."""
    known = None if enrolled is None else enrolled(one.key.kid)
    return one.valid_from <= time < one.valid_until and (known is None or known.is_valid_at(time))


def _instant(at: datetime) -> str:
    return f"{at:%Y-%m-%dT%H:%M:%SZ}"
