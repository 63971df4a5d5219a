-- When envelopes of a kind were kept here since an instant.
SELECT count(*) AS count, min(kept_at) AS first, max(kept_at) AS last
FROM inbox
WHERE kind = $2 AND kept_at >= $1
