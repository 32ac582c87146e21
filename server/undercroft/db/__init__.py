"""The database floor: the only place that knows the driver."""
