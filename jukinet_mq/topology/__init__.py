"""Which exchanges, queues, bindings, users and permissions the broker must hold, and why.

`build` computes them from the directory and the catalogue, `render` writes them as RabbitMQ
definitions, `compare` tells them from what a broker holds. Nothing here talks to a broker;
`jukinet_mq.broker.topology` applies and checks.
"""
