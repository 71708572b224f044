"""The dashboard: a replica of the runs, made of what they wrote and told, and its widget.

It never touches the loop. What it shows is folded from the same documents and journals that a
restart reads, so it can be made anew in any cell, kernel or notebook. `facts`, `story` and `rows`
are pure; `watch` reads the files; `dashboard` is the widget and `pump` the thread that feeds it.
"""
