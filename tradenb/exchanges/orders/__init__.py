"""The way of orders to an exchange: requests that are sent once, and what their ends prove.

`order_port.py` takes an order and returns an answer of `core/orders/answers.py`; `order_client.py`
is the client of ccxt behind it; `spot_requests.py`, `spot_answers.py` and
`spot_markets.py` are Binance's forms.
"""
