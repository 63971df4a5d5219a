-- What was promised and has not come: receipts, numbers, notices; and the consistency check.

-- How far the search for unanswered envelopes has come in the outbox. Every position up to
-- `position` is looked at. Those up to `fence_position` were given by transactions before
-- `fence_xid`: when all of these have ended, nothing can still appear among them.
CREATE TABLE overdue_cursor (
    single         boolean PRIMARY KEY DEFAULT true CHECK (single),
    position       bigint  NOT NULL,
    fence_position bigint  NOT NULL,
    fence_xid      xid8    NOT NULL
);

-- Published envelopes whose receipts have not all come in time: a small table, since an
-- answered envelope never gets here. A row goes when the last receipt has come. suspect: a
-- keeper got other bytes than these, so there is nothing to wait for.
CREATE TABLE awaited (
    message_id uuid        PRIMARY KEY,
    noticed_at timestamptz NOT NULL,
    due_at     timestamptz NOT NULL,
    resends    smallint    NOT NULL DEFAULT 0,
    resent_at  timestamptz,
    suspect    boolean     NOT NULL DEFAULT false,
    alarmed_at timestamptz
);
CREATE INDEX awaited_due ON awaited (due_at);

-- Up to when, by the broker's confirm, a keeper has answered what this database's nodes
-- published: what was relayed well before that and has no answer was lost on its way. `probes`:
-- envelopes resent since it last answered, one at a time, to learn whether it is there.
CREATE TABLE keeper_heard (
    keeper     text        PRIMARY KEY,
    relayed_at timestamptz,
    probes     integer     NOT NULL DEFAULT 0,
    probed_at  timestamptz
);
CREATE INDEX receipt_rejected ON receipt_received (received_at) WHERE level = 'rejected' AND matches;

-- An update that comes again goes on again in the forward that carried it.
CREATE INDEX outbox_forward ON outbox (node, published_at) WHERE kind = 'identity-forward';

-- When a missing number is asked for next, how often it was, and when a person was called.
ALTER TABLE sequence_gap
    ADD COLUMN asks       smallint    NOT NULL DEFAULT 0,
    ADD COLUMN due_at     timestamptz NOT NULL DEFAULT now(),
    ADD COLUMN alarmed_at timestamptz;
DROP INDEX sequence_gap_open;
CREATE INDEX sequence_gap_open ON sequence_gap (due_at) WHERE closed_at IS NULL;

-- A number that comes inside two different originals of a forward is refused like any other.
CREATE UNIQUE INDEX inbox_original ON inbox (node, sender, recipient, plane, sequence)
    WHERE carried_by IS NOT NULL;

-- 整合性確認: one row per check of a municipality, per question asked in it, per difference found.
--   ended_how  done: every question is answered; unanswered: a keeper did not answer
CREATE TABLE consistency_check (
    check_id   uuid        PRIMARY KEY,
    node       text        NOT NULL,
    started_at timestamptz NOT NULL,
    first      bigint,
    last       bigint,
    ended_at   timestamptz,
    ended_how  text        CHECK (ended_how IN ('done', 'unanswered')),
    CHECK ((first IS NULL) = (last IS NULL)),
    CHECK ((ended_at IS NULL) = (ended_how IS NULL))
);
CREATE INDEX consistency_check_node ON consistency_check (node, started_at);
CREATE TABLE consistency_question (
    request_id  uuid        PRIMARY KEY,
    check_id    uuid        NOT NULL REFERENCES consistency_check,
    keeper      text        NOT NULL,
    firsts      bigint[]    NOT NULL,
    lasts       bigint[]    NOT NULL,
    spelt_out   boolean     NOT NULL,
    tries       smallint    NOT NULL,
    asked_at    timestamptz NOT NULL,
    answered_at timestamptz
);
CREATE INDEX consistency_question_check ON consistency_question (check_id);
CREATE INDEX consistency_question_open ON consistency_question (asked_at)
    WHERE answered_at IS NULL;
CREATE TABLE consistency_difference (
    check_id   uuid        NOT NULL REFERENCES consistency_check,
    keeper     text        NOT NULL,
    sequence   bigint      NOT NULL,
    message_id uuid        NOT NULL,
    difference text        NOT NULL
        CHECK (difference IN ('missing', 'unknown', 'other_bytes', 'not_in_effect')),
    noted_at   timestamptz NOT NULL,
    PRIMARY KEY (check_id, keeper, sequence, message_id)
);

-- Planned move-outs for which no move-in notice has come (転入通知未着).
CREATE INDEX move_out_unconfirmed ON move_out (planned_on) WHERE notice_id IS NULL;

GRANT SELECT, INSERT, UPDATE ON
    overdue_cursor, keeper_heard, consistency_check, consistency_question
TO jukinet_worker;
GRANT SELECT, INSERT, UPDATE, DELETE ON awaited TO jukinet_worker;
GRANT SELECT, INSERT ON consistency_difference TO jukinet_worker;
