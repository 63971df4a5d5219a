-- Give the next numbers of each pair; rows are locked in one order, so two publishers of
-- overlapping pairs cannot deadlock. Returns the highest number given, and for pairs with
-- something to date the instant: now, or just after the one given last where the clock was set
-- back since. The pairs of $7 to $9 are dated by the clock again, whatever was given before; they
-- may get no number.
INSERT INTO sequence_given AS s (node, recipient, plane, last, latest)
SELECT node, recipient, plane, count, CASE WHEN dated THEN $6::timestamptz END
FROM unnest($1::text[], $2::text[], $3::text[], $4::bigint[], $5::boolean[])
    AS g (node, recipient, plane, count, dated)
ORDER BY node, recipient, plane
ON CONFLICT (node, recipient, plane) DO UPDATE SET
    last = s.last + excluded.last,
    latest = CASE
        WHEN (s.node, s.recipient, s.plane) IN (
            SELECT * FROM unnest($7::text[], $8::text[], $9::text[])
        ) THEN excluded.latest
        WHEN excluded.latest IS NULL THEN s.latest
        ELSE greatest(excluded.latest, s.latest + interval '1 microsecond')
    END
RETURNING node, recipient, plane, last, latest
