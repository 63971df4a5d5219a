-- What a municipality keeps of moves: events filed at it, move-outs planned and confirmed,
-- certificates it has issued and holds, card-based move-ins.

-- Every business event that was filed here. A second filing under the same id publishes nothing.
CREATE TABLE filed_event (
    event_id uuid        NOT NULL,
    node     text        NOT NULL,
    kind     text        NOT NULL,
    digest   bytea       NOT NULL CHECK (octet_length(digest) = 32),
    filed_at timestamptz NOT NULL,
    PRIMARY KEY (event_id, node)
);

-- Former municipality: who moves or has moved out, one row per resident and move (Act 15-3(2),
-- Order 13(1)-(2)). event_id is the move-out filing's; where none was known, the group of the
-- notice. The confirmed half is null until a move-in notice has come.
CREATE TABLE move_out (
    resident_code   text        NOT NULL,
    node            text        NOT NULL,
    event_id        uuid        NOT NULL,
    planned_on      date,
    planned_area    text,
    planned_address text,
    notice_group    uuid,
    notice_id       uuid,
    notice_time     timestamptz,
    moved_out_on    date,
    area            text,
    address         text,
    updated_at      timestamptz NOT NULL,
    CHECK (planned_on IS NOT NULL OR notice_id IS NOT NULL),
    CHECK (num_nulls(notice_group, notice_id, notice_time, moved_out_on, area, address) IN (0, 6)),
    PRIMARY KEY (resident_code, node, event_id)
);

-- Former municipality: what it needs to say a certificate again when asked (Act 24-2(5)-(6)).
CREATE TABLE certificate_issued (
    group_id       uuid        NOT NULL,
    node           text        NOT NULL,
    recipient      text        NOT NULL,
    message_id     uuid        NOT NULL,
    planned_on     date        NOT NULL,
    resident_codes text[]      NOT NULL,
    content        jsonb       NOT NULL,
    issued_at      timestamptz NOT NULL,
    PRIMARY KEY (group_id, node)
);
CREATE INDEX certificate_issued_residents ON certificate_issued USING gin (resident_codes);

-- Destination: one row per certificate that came.
--   held      may be used by a filing, until erase_after has passed
--   used      everybody on it has filed
--   replaced  a later one of the same move-out took its place; its envelope is erased when due
--   erased    unused when erase_after had passed (Act 24-2(4), Order 24-4): what remains of it
--             here, in the inbox and in the archive are ids, dates and a digest
CREATE TABLE certificate_held (
    message_id  uuid        NOT NULL,
    node        text        NOT NULL,
    sender      text        NOT NULL,
    group_id    uuid        NOT NULL,
    event_time  timestamptz NOT NULL,
    planned_on  date        NOT NULL,
    erase_after date        NOT NULL,
    state       text        NOT NULL CHECK (state IN ('held', 'used', 'replaced', 'erased')),
    body        jsonb,
    ended_at    timestamptz,
    CHECK ((state = 'held') = (body IS NOT NULL)),
    CHECK ((state = 'held') = (ended_at IS NULL)),
    PRIMARY KEY (message_id, node, sender)
);
CREATE INDEX certificate_held_group ON certificate_held (group_id, node, sender);
CREATE INDEX certificate_held_due ON certificate_held (erase_after)
    WHERE state IN ('held', 'replaced');
CREATE INDEX certificate_held_erased ON certificate_held (node, sender, planned_on)
    WHERE state = 'erased';

-- Whom a held certificate speaks of; used_by is the filing that used it for this person.
CREATE TABLE certificate_person (
    resident_code text NOT NULL,
    node          text NOT NULL,
    sender        text NOT NULL,
    message_id    uuid NOT NULL,
    used_by       uuid,
    PRIMARY KEY (resident_code, node, sender, message_id)
);
CREATE INDEX certificate_person_certificate ON certificate_person (message_id, node, sender);

-- Destination: card-based move-ins.
--   waiting  the certificate is asked for; its arrival ends this
--   done     published; content and codes are gone from here
--   refused  the certificate came and cannot be used for it; a person must ask for paper
CREATE TABLE filing (
    event_id       uuid        NOT NULL,
    node           text        NOT NULL,
    former         text        NOT NULL,
    state          text        NOT NULL CHECK (state IN ('waiting', 'done', 'refused')),
    resident_codes text[],
    content        jsonb,
    certificate_id uuid,
    reason         text,
    filed_at       timestamptz NOT NULL,
    ended_at       timestamptz,
    CHECK ((state = 'done') = (content IS NULL)),
    CHECK ((content IS NULL) = (resident_codes IS NULL)),
    CHECK ((state = 'waiting') = (ended_at IS NULL)),
    CHECK ((state = 'refused') = (reason IS NOT NULL)),
    PRIMARY KEY (event_id, node)
);
CREATE INDEX filing_waiting ON filing (node, former) WHERE state = 'waiting';

-- The only way by which a worker can change the archive, and only like this: the envelope of a
-- certificate that came here, is not used and may not be held any longer. The caller's day
-- cannot be later than this server's own, and the worker cannot alter erase_after.
CREATE FUNCTION erase_unused_certificates(only_nodes text[], as_of date, wanted integer)
RETURNS bigint
LANGUAGE sql
SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp
AS $$
WITH due AS MATERIALIZED (
    SELECT c.message_id, c.node, c.sender, i.kept_at
    FROM public.certificate_held AS c
    JOIN public.inbox AS i USING (message_id, node, sender)
    WHERE c.state IN ('held', 'replaced')
      AND c.erase_after < least(as_of, (now() AT TIME ZONE interval '9 hours')::date)
      AND (only_nodes IS NULL OR c.node = ANY (only_nodes))
      AND i.kind = 'move-out-certificate'
    ORDER BY c.erase_after
    LIMIT wanted
    FOR UPDATE OF c SKIP LOCKED
), envelopes AS (
    UPDATE public.archive AS a SET signed = NULL, erased_at = now()
    FROM due AS d
    WHERE (a.message_id, a.node, a.sender, a.kept_at)
        = (d.message_id, d.node, d.sender, d.kept_at)
), persons AS (
    DELETE FROM public.certificate_person AS p
    USING due AS d
    WHERE (p.message_id, p.node, p.sender) = (d.message_id, d.node, d.sender)
      AND p.used_by IS NULL
), certificates AS (
    UPDATE public.certificate_held AS c SET state = 'erased', body = NULL, ended_at = now()
    FROM due AS d
    WHERE (c.message_id, c.node, c.sender) = (d.message_id, d.node, d.sender)
    RETURNING 1
)
SELECT count(*) FROM certificates
$$;
REVOKE EXECUTE ON FUNCTION erase_unused_certificates FROM PUBLIC;
GRANT EXECUTE ON FUNCTION erase_unused_certificates TO jukinet_worker;

GRANT SELECT, INSERT ON
    filed_event, move_out, certificate_issued, certificate_held, certificate_person, filing
TO jukinet_worker;
GRANT UPDATE ON move_out TO jukinet_worker;
GRANT UPDATE (state, body, ended_at) ON certificate_held TO jukinet_worker;
GRANT UPDATE (used_by), DELETE ON certificate_person TO jukinet_worker;
GRANT UPDATE (state, resident_codes, content, certificate_id, reason, ended_at) ON filing
TO jukinet_worker;
