SELECT keeper, relayed_at, heard_at, probes, probed_at FROM keeper_heard
WHERE keeper = ANY ($1::text[])
