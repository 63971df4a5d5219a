-- Lock the checks to which these questions belong, in one order: answers to one check come one by
-- one.
SELECT FROM consistency_check AS c
WHERE c.check_id IN (
    SELECT q.check_id FROM consistency_question AS q WHERE q.request_id = ANY ($1::uuid[])
)
ORDER BY c.check_id
FOR UPDATE
