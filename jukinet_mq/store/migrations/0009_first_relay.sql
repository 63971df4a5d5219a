-- When an envelope was relayed first. Its keeper's answer may be to that first copy, however often
-- it was relayed since; so the answer says only that the keeper has come as far as that.
ALTER TABLE outbox ADD COLUMN first_relayed_at timestamptz;

-- When a keeper last answered anything: one that works through a backlog is not silent.
ALTER TABLE keeper_heard ADD COLUMN heard_at timestamptz;
