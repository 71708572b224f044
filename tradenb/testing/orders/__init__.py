"""Lives of the order machine against a `FaultyVenue`: virtual time, all faults, deaths, checks.

`order_life.py` plays one life from a seed; `order_life_checks.py` has what must hold in each.
`rehearsal_broker.py` gives rehearsals real orders.
`order_scenario.py` plays one fault at one stage over HTTP (`loopback_port.py`).
"""
