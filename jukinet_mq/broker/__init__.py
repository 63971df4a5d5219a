"""The broker's room: the only one that speaks AMQP or RabbitMQ's management API."""
