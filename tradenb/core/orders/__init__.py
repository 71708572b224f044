"""The order machine: what is wanted and what is known in, one next action out.

Like `core.lifecycle` it knows no clock, disk or network. `next_action` looks at the desired
position and at the ledger and names a single action; `apply` puts what the exchange said into the
ledger. There is no queue of intentions, so a start, a restart and a reconnect are the same call.

Read order_records.py for the records, next_action.py for the table, apply.py for what an answer
changes. docs/orders.md says what is promised.
"""
