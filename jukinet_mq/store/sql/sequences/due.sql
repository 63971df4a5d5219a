-- Missing numbers to ask for. Their rows are not locked: numbers for the questions come first.
SELECT node, sender, recipient, plane, sequence, asks
FROM sequence_gap
WHERE closed_at IS NULL AND alarmed_at IS NULL AND due_at <= $1
  AND ($2::text[] IS NULL OR node = ANY ($2))
ORDER BY due_at, node, sender, recipient, plane, sequence
LIMIT $3
