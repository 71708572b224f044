"""Where candles come from: DataFrames, files, functions of your own, random walks.

Each source implements `engine.ports.CandleSource`, delivers 1m candles only, and passes them
through `core.candles.intake.accept`. A source reads lazily; the heavy packages (pandas,
pyarrow) are imported only where a source needs them.
"""
