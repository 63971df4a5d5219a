-- The latest instant that was given to an envelope of the pair whose event named none itself. A
-- clock that is set back gives no earlier one to what comes later.
ALTER TABLE sequence_given ADD COLUMN latest timestamptz;
