-- One database's state for the doctor. The clock is the server's own, not this transaction's.
SELECT
    clock_timestamp() AS clock,
    (SELECT count(*) FROM outbox WHERE relayed_at IS NULL) AS outbox_waiting,
    (SELECT min(published_at) FROM outbox WHERE relayed_at IS NULL) AS outbox_oldest,
    (SELECT count(*) FROM inbox WHERE state = 'pending') AS inbox_pending,
    (SELECT count(*) FROM parked WHERE ended_at IS NULL) AS parked,
    (SELECT count(*) FROM quarantine WHERE ended_at IS NULL) AS quarantined,
    (SELECT coalesce(sum(deliveries), 0)::bigint FROM quarantine_counted_open) AS counted,
    current_setting('transaction_read_only')::boolean AS read_only
