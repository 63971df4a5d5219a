INSERT INTO consistency_difference (check_id, keeper, sequence, message_id, difference, noted_at)
SELECT $1, $2, d.sequence, d.message_id, d.difference, $6
FROM unnest($3::bigint[], $4::uuid[], $5::text[]) AS d (sequence, message_id, difference)
ON CONFLICT DO NOTHING
