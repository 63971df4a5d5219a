-- Every copy in this tier's archives, its nodes' own ones too.
SELECT message_id, node, sender, digest FROM archive
