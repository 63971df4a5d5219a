-- How much was published and relayed after a position. One sender and recipient stand for all
-- pairs of a group: who keeps differs only by the recipient's tier (a prefecture's code is
-- <prefecture>000<check digit>) and by whether both lie in one prefecture.
SELECT kind, version, min(node || ' ' || recipient) AS pair,
       count(*) AS published, count(relayed_at) AS relayed
FROM outbox
WHERE position > $1
GROUP BY kind, version, recipient LIKE '__000_', left(node, 2) = left(recipient, 2)
