-- What lies in quarantine since an instant: the id that is claimed, and what the bytes are.
SELECT message_id, digest FROM quarantine WHERE ended_at IS NULL AND held_at >= $1
