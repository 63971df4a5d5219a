UPDATE keeper_heard SET probes = probes + 1, probed_at = $2 WHERE keeper = ANY ($1::text[])
