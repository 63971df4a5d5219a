-- Count deliveries of causes of which enough are held; one row per cause and time in which the
-- oldest held one is the same.
INSERT INTO quarantine_counted AS k (
    node, reason, login, since, deliveries, bytes, first_at, last_at
)
SELECT d.node, d.reason, d.login, d.since, d.deliveries, d.bytes, $7, $7
FROM unnest($1::text[], $2::text[], $3::text[], $4::timestamptz[], $5::bigint[], $6::bigint[])
    AS d (node, reason, login, since, deliveries, bytes)
ORDER BY d.node, d.reason, d.login, d.since
ON CONFLICT (node, reason, login, since) DO UPDATE SET
    deliveries = k.deliveries + excluded.deliveries,
    bytes = k.bytes + excluded.bytes,
    last_at = greatest(k.last_at, excluded.last_at)
