"""A session: the machine, the functions of the user and the risk books make events."""
