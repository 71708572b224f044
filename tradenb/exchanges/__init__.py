"""Where candles come from: DataFrames, files, functions of your own, random walks.

Each source implements `engine.ports.CandleSource`, is only ever asked for 1m candles, and passes
what it has through `core.intake.accept`. A source reads lazily; the heavy packages (pandas,
pyarrow) are imported only where a source needs them.
"""
