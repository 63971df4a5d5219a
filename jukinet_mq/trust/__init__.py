"""Who may be believed: signing, sealing, enrolled keys and the verification of deliveries.

No network, no database, no event loop. `pki` and `keyring`, which read and write key files,
are imported by those who need them.
"""

from __future__ import annotations

from jukinet_mq.trust.keys import EnrolledKey, Use, public_from_jwk, public_jwk, thumbprint
from jukinet_mq.trust.sealing import SealingKey, seal
from jukinet_mq.trust.signing import SigningKey
from jukinet_mq.trust.store import TrustStore, check_enrolment

__all__ = [
    "EnrolledKey",
    "SealingKey",
    "SigningKey",
    "TrustStore",
    "Use",
    "check_enrolment",
    "public_from_jwk",
    "public_jwk",
    "seal",
    "thumbprint",
]
