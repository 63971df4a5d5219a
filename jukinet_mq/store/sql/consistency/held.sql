-- What a keeper holds of a municipality's identity updates, by span. The digest is taken over
-- the bytes as they lie in the archive. in_effect: the history has the update, and the register
-- shows it as it came, or a later one of the same resident.
WITH span AS MATERIALIZED (
    SELECT * FROM unnest($4::integer[], $5::bigint[], $6::bigint[]) AS s (n, first, last)
), kept AS MATERIALIZED (
    SELECT s.n, i.sequence, i.message_id, i.kept_at
    FROM span AS s
    JOIN inbox AS i
      ON i.node = $1 AND i.sender = $2 AND i.recipient = $3 AND i.plane = 'identity'
     AND i.sequence BETWEEN s.first AND s.last
    WHERE i.carried_by IS NULL AND i.kind = 'identity-update'
    UNION ALL
    SELECT s.n, i.sequence, i.message_id, i.kept_at
    FROM span AS s
    JOIN inbox AS i
      ON i.node = $1 AND i.sender = $2 AND i.recipient = $3 AND i.plane = 'identity'
     AND i.sequence BETWEEN s.first AND s.last
    WHERE i.carried_by IS NOT NULL AND i.kind = 'identity-update'
), held AS MATERIALIZED (
    SELECT k.n, k.sequence, k.message_id, sha256(a.signed) AS digest,
           EXISTS (
               SELECT FROM register_history AS h
               JOIN register AS r ON r.resident_code = h.resident_code AND r.node = h.node
               WHERE h.message_id = k.message_id AND h.node = $1 AND h.recorded_at >= k.kept_at
                 AND CASE
                     WHEN r.message_id = h.message_id THEN
                         (r.municipality, r.event_class, r.reason, r.event_time, r.identity)
                         = (h.municipality, h.event_class, h.reason, h.event_time, h.identity)
                         AND r.present = (h.event_class <> 'delete')
                     ELSE (r.event_time, r.message_id) > (h.event_time, h.message_id)
                 END
           ) AS in_effect
    FROM kept AS k
    JOIN archive AS a
      ON a.message_id = k.message_id AND a.node = $1 AND a.sender = $2 AND a.kept_at = k.kept_at
)
SELECT s.n, s.first, s.last, count(h.sequence) AS count,
       sha256(coalesce(
           string_agg(
               int8send(h.sequence) || uuid_send(h.message_id) || h.digest
               || CASE WHEN h.in_effect THEN '\x01'::bytea ELSE '\x00'::bytea END,
               ''::bytea ORDER BY h.sequence
           ),
           ''
       )) AS digest,
       CASE WHEN $7 THEN coalesce(array_agg(h.sequence ORDER BY h.sequence)
                                  FILTER (WHERE h.n IS NOT NULL), '{}') END AS sequences,
       CASE WHEN $7 THEN coalesce(array_agg(h.message_id ORDER BY h.sequence)
                                  FILTER (WHERE h.n IS NOT NULL), '{}') END AS message_ids,
       CASE WHEN $7 THEN coalesce(array_agg(h.digest ORDER BY h.sequence)
                                  FILTER (WHERE h.n IS NOT NULL), '{}') END AS digests,
       CASE WHEN $7 THEN coalesce(array_agg(h.in_effect ORDER BY h.sequence)
                                  FILTER (WHERE h.n IS NOT NULL), '{}') END AS in_effects
FROM span AS s
LEFT JOIN held AS h USING (n)
GROUP BY s.n, s.first, s.last
ORDER BY s.n
