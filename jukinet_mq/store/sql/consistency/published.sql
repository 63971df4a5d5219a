-- What a municipality has published of its identity updates, by span; digests as in held.sql.
WITH span AS MATERIALIZED (
    SELECT * FROM unnest($3::integer[], $4::bigint[], $5::bigint[]) AS s (n, first, last)
), said AS MATERIALIZED (
    SELECT s.n, o.sequence, o.message_id, sha256(a.signed) AS digest
    FROM span AS s
    JOIN outbox AS o
      ON o.node = $1 AND o.recipient = $2 AND o.plane = 'identity'
     AND o.sequence BETWEEN s.first AND s.last
    JOIN archive AS a
      ON a.message_id = o.message_id AND a.node = $1 AND a.sender = $1
     AND a.kept_at = o.published_at
    WHERE o.kind = 'identity-update'
)
SELECT s.n, s.first, s.last, count(d.sequence) AS count,
       sha256(coalesce(
           string_agg(
               int8send(d.sequence) || uuid_send(d.message_id) || d.digest || '\x01'::bytea,
               ''::bytea ORDER BY d.sequence
           ),
           ''
       )) AS digest,
       CASE WHEN $6 THEN coalesce(array_agg(d.sequence ORDER BY d.sequence)
                                  FILTER (WHERE d.n IS NOT NULL), '{}') END AS sequences,
       CASE WHEN $6 THEN coalesce(array_agg(d.message_id ORDER BY d.sequence)
                                  FILTER (WHERE d.n IS NOT NULL), '{}') END AS message_ids,
       CASE WHEN $6 THEN coalesce(array_agg(d.digest ORDER BY d.sequence)
                                  FILTER (WHERE d.n IS NOT NULL), '{}') END AS digests
FROM span AS s
LEFT JOIN said AS d USING (n)
GROUP BY s.n, s.first, s.last
ORDER BY s.n
