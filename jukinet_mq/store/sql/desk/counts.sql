-- How much waits at a node.
SELECT
    (SELECT count(*) FROM outbox WHERE node = $1 AND relayed_at IS NULL) AS outbox_waiting,
    (SELECT min(published_at) FROM outbox WHERE node = $1 AND relayed_at IS NULL)
        AS outbox_oldest,
    (SELECT count(*) FROM inbox WHERE node = $1 AND state = 'pending') AS inbox_pending,
    (SELECT min(due_at) FROM inbox WHERE node = $1 AND state = 'pending') AS inbox_next_due,
    (SELECT count(*) FROM parked WHERE node = $1 AND ended_at IS NULL) AS parked,
    (SELECT count(*) FROM quarantine WHERE node = $1 AND ended_at IS NULL)
        + (SELECT coalesce(sum(deliveries), 0)::bigint FROM quarantine_counted_open
           WHERE node = $1) AS quarantined,
    (SELECT count(*) FROM sequence_gap WHERE node = $1 AND closed_at IS NULL) AS gaps
