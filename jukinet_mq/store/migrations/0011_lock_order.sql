-- What locks in one order over all transactions need (ADR 28).

-- The highest number before the last change, so that one statement can lock the pairs, new ones
-- and known ones, raise them and say what they were.
ALTER TABLE sequence_seen ADD COLUMN previous bigint NOT NULL DEFAULT 0;

-- A pair is also locked, by the statement that gives numbers, when it gets none.
ALTER TABLE sequence_given
    DROP CONSTRAINT sequence_given_last_check,
    ADD CONSTRAINT sequence_given_last_check CHECK (last >= 0);
