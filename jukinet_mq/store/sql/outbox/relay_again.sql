-- Put published envelopes back in line; the recipient's inbox makes the repetition harmless.
UPDATE outbox SET relayed_at = NULL WHERE message_id = ANY ($1::uuid[]) AND relayed_at IS NOT NULL
