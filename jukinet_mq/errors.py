"""Every error of jukinet-mq, in one tree by what happens next.

`reason` is public and stable: receipts, logs, metrics, exit codes and the file names of the
runbooks use it. A message says what was found, what was expected and what to do. It never
holds personal data: a field's name, an offset, a code point, never the value.
"""

from __future__ import annotations

from pathlib import Path
from traceback import extract_tb
from typing import ClassVar


class JukinetError(Exception):
    """Anything that jukinet-mq refuses, holds back or cannot do."""

    reason: ClassVar[str] = "internal_error"
    exit_code: ClassVar[int] = 70

    def __init__(self, text: str, **facts: object) -> None:
        super().__init__(text)
        self.facts = facts


# --- Stop: the installation is wrong, nothing can go on -----------------------------------


class ConfigurationError(JukinetError):
    """The installation is wrong; a person must change it before anything works."""

    reason = "configuration_invalid"
    exit_code = 78


class MissingPackageError(ConfigurationError):
    """A program of the distribution is missing and cannot be installed with these rights."""

    reason = "package_missing"


class NodeKeyError(ConfigurationError):
    """The key files of one node cannot be used; that node waits, and no other.

    `node` names it, and is None where the file is not one node's.
    """

    reason = "private_key_unusable"

    @property
    def node(self) -> str | None:
        """Return the node's code."""
        found = self.facts.get("node")
        return None if found is None else str(found)


class MissingKeyError(NodeKeyError):
    """A node has no private key where this process looks for it."""

    reason = "private_key_missing"


class UnsafeKeyFileError(NodeKeyError):
    """A private key can be read by others than its owner."""

    reason = "private_key_unsafe"


class SigningKeyNotValidError(NodeKeyError):
    """No signing key of a node is valid now: over, not begun, revoked or not enrolled."""

    reason = "signing_key_not_valid"


class SchemaVersionError(ConfigurationError):
    """The database's schema is not the one that this program was written for."""

    reason = "schema_version_mismatch"


class TopologyDriftError(ConfigurationError):
    """The broker does not hold the topology that the directory and the catalogue give."""

    reason = "topology_drift"


class BrokerAccessError(ConfigurationError):
    """The broker refuses this login, or refuses it what its node is entitled to."""

    reason = "broker_access_refused"


class StaleFileError(ConfigurationError):
    """A generated file is not what the code generates now."""

    reason = "generated_file_stale"


# --- Reject: the sender's fault, the sender is told ---------------------------------------


class RejectedError(JukinetError):
    """The sender's fault; refused at the publisher, or answered with `rejected`."""

    reason = "rejected"
    exit_code = 65


class MalformedBodyError(RejectedError):
    """A body does not meet its kind's schema or the rules between its fields."""

    reason = "body_malformed"


class UnreadableInputError(RejectedError):
    """A file of events is not one JSON object per line in UTF-8, is damaged, or has changed."""

    reason = "input_unreadable"


class UnacceptableTextError(RejectedError):
    """A text holds what may not stand in it; names field, offset and code point only."""

    reason = "text_unacceptable"


class CheckDigitError(RejectedError):
    """A code's check digit is wrong."""

    reason = "check_digit_wrong"


class UnknownNodeError(RejectedError):
    """No node has this code."""

    reason = "node_unknown"


class WardIsNotANodeError(RejectedError):
    """A ward of a designated city was named where its city, the node, must be."""

    reason = "ward_is_not_a_node"


class ImpossibleDateError(RejectedError):
    """A date does not exist, or lies where its meaning forbids."""

    reason = "date_impossible"


class SyntheticRangeError(RejectedError):
    """More synthetic numbers were asked for than the test range holds."""

    reason = "synthetic_range_exceeded"


class SameMunicipalityError(RejectedError):
    """A move between municipalities names one municipality twice."""

    reason = "move_within_municipality"


class OversizedEnvelopeError(RejectedError):
    """An envelope is larger than the limit of 256 KiB."""

    reason = "envelope_oversized"


class EventReusedError(RejectedError):
    """Another event was already filed under this id at this municipality."""

    reason = "event_id_reused"


class CardPrivilegeLostError(RejectedError):
    """A card-based move-in was filed too late; it needs the paper certificate (Order 24-2)."""

    reason = "card_privilege_lost"


class CertificateUsedError(RejectedError):
    """Somebody of a card-based move-in has filed with this certificate before."""

    reason = "certificate_used"


class CertificateMismatchError(RejectedError):
    """No one certificate names everybody of a card-based move-in."""

    reason = "certificate_mismatch"


class DiscardedByOperatorError(RejectedError):
    """An operator has discarded a parked envelope; nothing will come of it."""

    reason = "discarded_by_operator"


class NotItsKeeperError(RejectedError):
    """A node asks another for envelopes that it does not keep."""

    reason = "not_its_keeper"


class UnknownEventError(RejectedError):
    """No event or envelope has this id here."""

    reason = "event_unknown"


# --- Leave out: data that the database refuses, whoever's it is ---------------------------


class DataRefusedError(JukinetError):
    """PostgreSQL refuses the data of a statement: repeating it with the same data cannot help."""

    reason = "data_refused"
    exit_code = 65


# --- Quarantine: not trusted --------------------------------------------------------------


class UntrustedError(JukinetError):
    """A delivery is not what it claims, or nobody can tell; it is held, not acted upon."""

    reason = "untrusted"
    exit_code = 76


class OversizedDeliveryError(UntrustedError):
    """A delivery is larger than 256 KiB; its bytes are not kept whole."""

    reason = "delivery_oversized"


class MalformedEnvelopeError(UntrustedError):
    """The bytes are no JWS compact of a CloudEvent as published."""

    reason = "envelope_malformed"


class UndecodableCarriageError(UntrustedError):
    """The AMQP properties of a delivery cannot be decoded, so nothing shows who published it."""

    reason = "carriage_undecodable"


class UnprocessableDeliveryError(UntrustedError):
    """This program failed on a delivery alone, in a way that it does not know."""

    reason = "delivery_unprocessable"


class UnknownKindError(UntrustedError):
    """The kind or its version is not in the catalogue."""

    reason = "kind_unknown"


class UnknownKeyError(UntrustedError):
    """The key that signed is not enrolled."""

    reason = "key_unknown"


class UntrustedSignerError(UntrustedError):
    """The key is enrolled, but not for this node, this use or this instant."""

    reason = "signer_untrusted"


class RevokedKeyError(UntrustedError):
    """The key that signed is revoked."""

    reason = "key_revoked"


class WeakKeyError(UntrustedError):
    """A public key is of low order: a signature under it proves nothing."""

    reason = "key_weak"


class SignatureMismatchError(UntrustedError):
    """The signature does not match the bytes."""

    reason = "signature_mismatch"


class SenderMismatchError(UntrustedError):
    """Envelope, signer, broker login and routing key do not name one sender and recipient."""

    reason = "sender_mismatch"


class PropertyMismatchError(UntrustedError):
    """An AMQP property disagrees with the signed envelope."""

    reason = "property_mismatch"


class WrongPlaceError(UntrustedError):
    """This kind may not come from that node to this one."""

    reason = "kind_not_allowed_here"


class ClockSkewError(UntrustedError):
    """The envelope's time lies further in the future than clocks may differ."""

    reason = "time_in_future"


class UnopenableSealError(UntrustedError):
    """A sealed body that this node must read does not open with its keys."""

    reason = "seal_unopenable"


class WrongReadersError(UntrustedError):
    """A body is sealed to other nodes than exactly those that the law lets read it."""

    reason = "seal_wrong_readers"


class ConflictingEnvelopeError(UntrustedError):
    """Same sender and id, other bytes: an attack or a bug."""

    reason = "id_reused"


class SequenceReuseError(UntrustedError):
    """Same sender, recipient and number, other envelope: an attack or a bug."""

    reason = "sequence_reused"


# --- Retry: not now -----------------------------------------------------------------------


class NotNowError(JukinetError):
    """It can be done, but not now; nothing is held against any envelope."""

    reason = "not_now"
    exit_code = 75


class BrokerUnavailableError(NotNowError):
    """The broker cannot be reached, or does not confirm in time."""

    reason = "broker_unavailable"


class BrokerBlockedError(NotNowError):
    """The broker has an alarm, of memory or disk, and takes no publishes until it is over."""

    reason = "broker_blocked"


class PublishRefusedError(NotNowError):
    """A queue takes no more for now: it is full, or the broker is wrong about its leader."""

    reason = "publish_refused"


class UnroutableError(NotNowError):
    """The broker has no queue for a routing key that the directory says exists."""

    reason = "unroutable"


class DatabaseUnavailableError(NotNowError):
    """PostgreSQL cannot be reached, is read-only or has no room."""

    reason = "database_unavailable"


class RolledBackError(DatabaseUnavailableError):
    """PostgreSQL rolled a transaction back for others beside it; nothing was written."""

    reason = "transaction_rolled_back"


class ServicesUnavailableError(NotNowError):
    """The private RabbitMQ or PostgreSQL did not come up."""

    reason = "services_unavailable"


class WorkerEndedError(NotNowError):
    """A worker process that another command has started ended by itself; its log says why."""

    reason = "worker_ended"


class DeadlineExceededError(NotNowError):
    """What was waited for did not happen in time."""

    reason = "deadline_exceeded"


class OutputIncompleteError(NotNowError):
    """Standard output cannot be written: it is full, or was closed."""

    reason = "output_incomplete"
    exit_code = 1


# --- Stop and call a person: a promise is broken ------------------------------------------


class InvariantError(JukinetError):
    """What must never happen has happened; a person must look before work goes on."""

    reason = "invariant_broken"
    exit_code = 70


def summary(error: Exception) -> str:
    """Return what *error* is, for a log or an operator.

    The text of an error that is not ours may hold personal data: only its class and the last
    place of this package that it passed are named.
    """
    if isinstance(error, JukinetError):
        return f"{type(error).__name__}: {error}"
    frames = [f for f in extract_tb(error.__traceback__) if __package__ in Path(f.filename).parts]
    place = f" in {Path(frames[-1].filename).name}, line {frames[-1].lineno}" if frames else ""
    return type(error).__name__ + place


def error_classes() -> tuple[type[JukinetError], ...]:
    """Return every class of the tree, parents before children."""
    found: list[type[JukinetError]] = [JukinetError]
    for cls in found:
        found.extend(cls.__subclasses__())
    return tuple(found)
