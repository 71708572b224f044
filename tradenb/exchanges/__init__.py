"""Where candles come from: DataFrames, files, functions of your own, random walks.

Each source implements `engine.ports.CandleSource`, delivers candles of one length, mostly 1m, and
passes them through `core.candles.intake.accept`. A source reads lazily; the heavy packages (pandas,
pyarrow) are imported only where a source needs them.
"""
