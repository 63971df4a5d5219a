-- A flood into the quarantine is counted, and what cannot be decoded is held with its bytes.

-- properties: the AMQP properties' bytes, where they could not be decoded.
ALTER TABLE quarantine ADD COLUMN properties bytea;
-- Answers how much of one cause lies open, since when.
CREATE INDEX quarantine_cause ON quarantine (node, reason, (coalesce(login, '')), held_at)
    WHERE ended_at IS NULL;

-- Deliveries that were counted and not held: enough of their cause were. login: "" if unknown.
-- since: when the oldest of the cause that was open then had come.
CREATE TABLE quarantine_counted (
    node       text        NOT NULL,
    reason     text        NOT NULL,
    login      text        NOT NULL,
    since      timestamptz NOT NULL,
    deliveries bigint      NOT NULL CHECK (deliveries > 0),
    bytes      bigint      NOT NULL,
    first_at   timestamptz NOT NULL,
    last_at    timestamptz NOT NULL,
    PRIMARY KEY (node, reason, login, since)
);

-- Those that came while something that is still open of their cause was held: when an operator
-- has decided about all that is held of a cause, what was counted with it is over too.
CREATE VIEW quarantine_counted_open AS
SELECT k.*
FROM quarantine_counted AS k
WHERE EXISTS (
    SELECT FROM quarantine AS q
    WHERE q.ended_at IS NULL AND q.node = k.node AND q.reason = k.reason
      AND coalesce(q.login, '') = k.login AND q.held_at <= k.last_at
);

GRANT SELECT, INSERT ON quarantine_counted TO jukinet_worker;
GRANT UPDATE (deliveries, bytes, last_at) ON quarantine_counted TO jukinet_worker;
GRANT SELECT ON quarantine_counted_open TO jukinet_worker;

-- A sequence has one range in the published schema, in the code and here. Rows of before are
-- within it; they are not read again.
ALTER TABLE outbox ADD CONSTRAINT outbox_sequence_range
    CHECK (sequence BETWEEN 1 AND 999999999999999) NOT VALID;
ALTER TABLE inbox ADD CONSTRAINT inbox_sequence_range
    CHECK (sequence BETWEEN 1 AND 999999999999999) NOT VALID;
ALTER TABLE sequence_given ADD CONSTRAINT sequence_given_range
    CHECK (last <= 999999999999999) NOT VALID;
