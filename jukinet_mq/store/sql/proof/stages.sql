-- When envelopes of a kind that were published after a position went through this outbox.
SELECT count(*) AS count, min(published_at) AS first_published, max(published_at) AS last_published,
       min(relayed_at) AS first_relayed, max(relayed_at) AS last_relayed
FROM outbox
WHERE position > $1 AND kind = $2
