-- Every receipt that this tier's nodes have got.
SELECT message_id, node, keeper, level, matches, received_at FROM receipt_received
