"""What every store can do, whatever its database: the interface that the floors above know."""
