-- What operators decide, and what a quarantined delivery needs to be verified again.

-- A replay's outcome is read from what came after it: the next parking, or the inbox.
CREATE INDEX parked_envelope ON parked (message_id, node, sender, position);
CREATE INDEX parked_ended ON parked (ended_at) WHERE ended_at IS NOT NULL;

-- A delivery is its bytes and what carried them.
--   carriage    SHA-256 over everything that carried it: the same bytes brought in another way
--               are another delivery, of which perhaps only one is good
--   whole       bytes and properties are held as they came; only that can be verified again
--   carried_by  the forward whose original these bytes are; the login is then its prefecture
--   ended_how   accepted: verified again, and kept; discarded: given up. Stays as evidence.
-- What comes again after its end is open again.
ALTER TABLE quarantine
    ADD COLUMN content_type text,
    ADD COLUMN carried_by   uuid,
    ADD COLUMN carriage     bytea   NOT NULL DEFAULT '',
    ADD COLUMN whole        boolean NOT NULL DEFAULT false,
    ADD COLUMN ended_at     timestamptz,
    ADD COLUMN ended_how    text CHECK (ended_how IN ('accepted', 'discarded')),
    ADD CHECK ((ended_at IS NULL) = (ended_how IS NULL)),
    DROP CONSTRAINT quarantine_node_digest_reason_key,
    ADD UNIQUE (node, digest, reason, carriage);
CREATE INDEX quarantine_open ON quarantine (position) WHERE ended_at IS NULL;

-- Every decision about a quarantined delivery, the vain ones too. reason: why it is still not
-- trusted.
CREATE TABLE quarantine_decision (
    position    bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    delivery    bigint      NOT NULL REFERENCES quarantine (position),
    decided_at  timestamptz NOT NULL,
    outcome     text        NOT NULL
        CHECK (outcome IN ('accepted', 'kept_before', 'refused', 'discarded')),
    reason      text,
    operator    text        NOT NULL,
    explanation text        NOT NULL,
    CHECK ((outcome = 'refused') = (reason IS NOT NULL))
);
CREATE INDEX quarantine_decision_delivery ON quarantine_decision (delivery);

GRANT UPDATE (ended_at, ended_how) ON quarantine TO jukinet_worker;
GRANT SELECT, INSERT ON quarantine_decision TO jukinet_worker;
