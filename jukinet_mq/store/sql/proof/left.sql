-- What must be nothing when all is done; of what is held for a person, only since an instant.
SELECT
    (SELECT count(*) FROM outbox WHERE relayed_at IS NULL) AS outbox_waiting,
    (SELECT count(*) FROM inbox WHERE state = 'pending') AS inbox_pending,
    (SELECT count(*) FROM receipt_given WHERE carried_by IS NULL) AS receipts_due,
    (SELECT count(*) FROM filing WHERE state = 'waiting' AND filed_at >= $1) AS filings_waiting,
    (SELECT count(*) FROM filing WHERE state = 'refused' AND filed_at >= $1) AS filings_refused,
    (SELECT count(*) FROM sequence_gap WHERE closed_at IS NULL) AS gaps_open,
    (SELECT count(*) FROM parked WHERE ended_at IS NULL AND parked_at >= $1) AS parked
