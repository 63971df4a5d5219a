-- The spine of a tier's database. Every table carries the node that a row belongs to, since one
-- process and one database may serve many nodes. Message ids are UUIDv7 and come first in keys,
-- so that inserts go to one end of an index.

-- Numbers already given, per (sender, recipient, plane); the row lock makes them gapless.
CREATE TABLE sequence_given (
    node      text   NOT NULL,
    recipient text   NOT NULL,
    plane     text   NOT NULL,
    last      bigint NOT NULL CHECK (last > 0),
    PRIMARY KEY (node, recipient, plane)
);

-- Every signed envelope that a node published or keeps. Append-only for the worker's role.
-- `signed` is null only after an erasure that the law demands (Act 24-2(4)); `digest` stays.
CREATE TABLE archive (
    message_id uuid        NOT NULL,
    node       text        NOT NULL,
    sender     text        NOT NULL,
    kept_at    timestamptz NOT NULL,
    digest     bytea       NOT NULL CHECK (octet_length(digest) = 32),
    signed     bytea,
    erased_at  timestamptz,
    CHECK ((signed IS NULL) = (erased_at IS NOT NULL)),
    PRIMARY KEY (message_id, node, sender, kept_at)
) PARTITION BY RANGE (kept_at);

-- What a node has published. waiting: relayed_at is null; the relay moves it when the broker has
-- confirmed. A crash in between publishes it again with the same id.
CREATE TABLE outbox (
    position     bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    message_id   uuid        NOT NULL UNIQUE,
    event_id     uuid        NOT NULL,
    node         text        NOT NULL,
    recipient    text        NOT NULL,
    plane        text        NOT NULL,
    kind         text        NOT NULL,
    version      smallint    NOT NULL,
    sequence     bigint      NOT NULL,
    event_time   timestamptz NOT NULL,
    published_at timestamptz NOT NULL,
    shard        smallint    NOT NULL CHECK (shard BETWEEN 0 AND 15),
    relayed_at   timestamptz,
    relays       integer     NOT NULL DEFAULT 0,
    UNIQUE (node, recipient, plane, sequence)
);
CREATE INDEX outbox_waiting ON outbox (shard, position) WHERE relayed_at IS NULL;
CREATE INDEX outbox_event ON outbox (event_id);

-- What has arrived at a node and is kept.
--   pending  the worker's retry loop takes it when due_at has come; a crash leaves it pending
--   done     its effects and this state were one transaction
--   parked   the policy is spent or the handler said so; only an operator's replay moves it
CREATE TABLE inbox (
    message_id uuid        NOT NULL,
    node       text        NOT NULL,
    sender     text        NOT NULL,
    recipient  text        NOT NULL,
    plane      text        NOT NULL,
    kind       text        NOT NULL,
    version    smallint    NOT NULL,
    sequence   bigint      NOT NULL,
    event_id   uuid        NOT NULL,
    event_time timestamptz NOT NULL,
    digest     bytea       NOT NULL,
    key_id     text        NOT NULL,
    carried_by uuid,
    kept_at    timestamptz NOT NULL,
    state      text        NOT NULL CHECK (state IN ('pending', 'done', 'parked')),
    attempts   smallint    NOT NULL DEFAULT 0,
    due_at     timestamptz,
    reason     text,
    handled_at timestamptz,
    CHECK ((state = 'pending') = (due_at IS NOT NULL)),
    PRIMARY KEY (message_id, node, sender)
);
-- A number used for two envelopes is refused here, whoever comes second and at which worker.
CREATE UNIQUE INDEX inbox_sequence ON inbox (node, sender, recipient, plane, sequence)
    WHERE carried_by IS NULL;
CREATE INDEX inbox_due ON inbox (due_at) WHERE state = 'pending';
CREATE INDEX inbox_parked ON inbox (node, kept_at) WHERE state = 'parked';
CREATE INDEX inbox_event ON inbox (event_id);

-- One row per parking; a replay closes it and says who did it and why.
CREATE TABLE parked (
    position    bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    message_id  uuid        NOT NULL,
    node        text        NOT NULL,
    sender      text        NOT NULL,
    parked_at   timestamptz NOT NULL,
    reason      text        NOT NULL,
    attempts    smallint    NOT NULL,
    ended_at    timestamptz,
    ended_how   text        CHECK (ended_how IN ('replayed', 'discarded')),
    operator    text,
    explanation text,
    CHECK ((ended_at IS NULL) = (ended_how IS NULL))
);
CREATE UNIQUE INDEX parked_open ON parked (message_id, node, sender) WHERE ended_at IS NULL;

-- What is not trusted. The same bytes at the same node are held once.
CREATE TABLE quarantine (
    position    bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    node        text        NOT NULL,
    digest      bytea       NOT NULL,
    held_at     timestamptz NOT NULL,
    reason      text        NOT NULL,
    explanation text        NOT NULL,
    login       text,
    routing_key text        NOT NULL,
    exchange    text        NOT NULL,
    message_id  text,
    kind        text,
    sender      text,
    size        integer     NOT NULL,
    arrivals    integer     NOT NULL DEFAULT 1,
    bytes       bytea       NOT NULL,
    UNIQUE (node, digest, reason)
);

-- Receipts that a keeper has given. carried_by: the receipt envelope that carries it, null until
-- the issuer has made one.
CREATE TABLE receipt_given (
    message_id   uuid        NOT NULL,
    node         text        NOT NULL,
    sender       text        NOT NULL,
    level        text        NOT NULL CHECK (level IN ('kept', 'processed', 'rejected')),
    reason       text,
    digest       bytea       NOT NULL,
    kept_at      timestamptz NOT NULL,
    processed_at timestamptz,
    carried_by   uuid,
    PRIMARY KEY (message_id, node, sender, level)
);
CREATE INDEX receipt_due ON receipt_given (kept_at) WHERE carried_by IS NULL;

-- Receipts that a sender has got.
CREATE TABLE receipt_received (
    message_id   uuid        NOT NULL,
    node         text        NOT NULL,
    keeper       text        NOT NULL,
    level        text        NOT NULL CHECK (level IN ('kept', 'processed', 'rejected')),
    reason       text,
    kept_at      timestamptz,
    processed_at timestamptz,
    received_at  timestamptz NOT NULL,
    matches      boolean     NOT NULL,
    carried_by   uuid        NOT NULL,
    PRIMARY KEY (message_id, node, keeper, level)
);

-- The highest number seen per (node, sender, recipient, plane), and the ones missing below it.
CREATE TABLE sequence_seen (
    node      text   NOT NULL,
    sender    text   NOT NULL,
    recipient text   NOT NULL,
    plane     text   NOT NULL,
    highest   bigint NOT NULL,
    PRIMARY KEY (node, sender, recipient, plane)
);
CREATE TABLE sequence_gap (
    node       text        NOT NULL,
    sender     text        NOT NULL,
    recipient  text        NOT NULL,
    plane      text        NOT NULL,
    sequence   bigint      NOT NULL,
    noticed_at timestamptz NOT NULL,
    closed_at  timestamptz,
    PRIMARY KEY (node, sender, recipient, plane, sequence)
);
CREATE INDEX sequence_gap_open ON sequence_gap (noticed_at) WHERE closed_at IS NULL;

-- The identity information that a tier holds (Act 30-6(3), 30-7(3)): one row per resident, as of
-- the latest event, and every notice ever in the history.
CREATE TABLE register (
    resident_code text        NOT NULL,
    node          text        NOT NULL,
    present       boolean     NOT NULL,
    municipality  text        NOT NULL,
    event_class   text        NOT NULL,
    reason        text        NOT NULL,
    event_time    timestamptz NOT NULL,
    message_id    uuid        NOT NULL,
    identity      jsonb       NOT NULL,
    updated_at    timestamptz NOT NULL,
    PRIMARY KEY (resident_code, node)
);
CREATE TABLE register_history (
    resident_code text        NOT NULL,
    node          text        NOT NULL,
    message_id    uuid        NOT NULL,
    municipality  text        NOT NULL,
    event_class   text        NOT NULL,
    reason        text        NOT NULL,
    event_time    timestamptz NOT NULL,
    identity      jsonb       NOT NULL,
    recorded_at   timestamptz NOT NULL,
    PRIMARY KEY (message_id, node, recorded_at)
) PARTITION BY RANGE (recorded_at);
CREATE INDEX register_history_resident ON register_history (resident_code, node);

-- 150 years from the next notice of the same resident, or from a deletion notice itself
-- (Order 30-6, 30-7, 34(2)); null while the notice is the current one.
CREATE VIEW register_retention AS
SELECT
    node,
    resident_code,
    message_id,
    CASE event_class
        WHEN 'delete' THEN recorded_at
        ELSE lead(recorded_at) OVER (
            PARTITION BY node, resident_code ORDER BY event_time, message_id
        )
    END + interval '150 years' AS keep_until
FROM register_history;

-- Enrolled public keys.
CREATE TABLE trust_store (
    key_id      text        PRIMARY KEY,
    node        text        NOT NULL,
    use         text        NOT NULL CHECK (use IN ('sig', 'enc')),
    public      bytea       NOT NULL CHECK (octet_length(public) = 32),
    valid_from  timestamptz NOT NULL,
    valid_until timestamptz NOT NULL,
    enrolled_at timestamptz NOT NULL,
    revoked_at  timestamptz,
    CHECK (valid_from < valid_until)
);
CREATE INDEX trust_store_node ON trust_store (node);

-- What a worker may do: add to archive, history, quarantine; never alter or delete there.
GRANT USAGE ON SCHEMA public TO jukinet_worker;
GRANT SELECT ON ALL TABLES IN SCHEMA public TO jukinet_worker;
GRANT INSERT ON ALL TABLES IN SCHEMA public TO jukinet_worker;
GRANT UPDATE ON
    sequence_given, outbox, inbox, parked, receipt_given, receipt_received,
    sequence_seen, sequence_gap, register, trust_store
TO jukinet_worker;
GRANT UPDATE (arrivals) ON quarantine TO jukinet_worker;
GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO jukinet_worker;
