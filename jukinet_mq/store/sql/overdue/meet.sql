INSERT INTO keeper_heard (keeper)
SELECT k FROM unnest($1::text[]) AS k ORDER BY k
ON CONFLICT DO NOTHING
