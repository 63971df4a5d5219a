-- Write decisions down, and end what is accepted or discarded.
WITH decided AS (
    INSERT INTO quarantine_decision (delivery, outcome, reason, decided_at, operator, explanation)
    SELECT m.*, $4, $5, $6
    FROM unnest($1::bigint[], $2::text[], $3::text[]) AS m (delivery, outcome, reason)
    RETURNING delivery, outcome
)
UPDATE quarantine AS q
SET ended_at = $4,
    ended_how = CASE d.outcome WHEN 'discarded' THEN 'discarded' ELSE 'accepted' END
FROM decided AS d
WHERE q.position = d.delivery AND d.outcome <> 'refused'
