"""The only room that imports asyncpg: pools, transactions, and what a node keeps."""
