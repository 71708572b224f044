"""The fast ways to the trades of the machine, for strategies all of whose answers are known.

This is the one place with two ways to the same trades. `fast_callback` follows a strategy that is
called alone, `fast_vectorised` one whose candidates are all there beforehand, `fast_portfolio`
several of those; with an account or ready-made risk rules they are followed together
(`shared_walk`). All take the checks and fills of the core, and ask the rules themselves. That they
make the trades and figures of the machine to the last bit is a property test:
`tests/backtest/fast/test_fast_is_the_machine.py` and `test_fast_portfolio.py`. Change none without.
"""
