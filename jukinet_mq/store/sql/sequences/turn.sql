-- Whether it is this transaction's turn to ask for missing numbers; nobody waits for it. 1786: this
-- project's class of advisory locks; 0 to 15 are the shards of the outbox.
SELECT pg_try_advisory_xact_lock(1786, 16) AS mine
