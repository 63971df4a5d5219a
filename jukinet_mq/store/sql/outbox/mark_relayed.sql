-- Only the relay that holds the shards of these rows changes them while they wait.
UPDATE outbox
SET relayed_at = $2, first_relayed_at = coalesce(first_relayed_at, $2), relays = relays + 1
WHERE position = ANY ($1::bigint[])
