"""The dashboard: a replica of the runs, made of what they wrote and published, and its widget.

It never touches the loop. What it shows is folded from the same documents and journals that a
restart reads, so it can be made anew in any cell, kernel or notebook. `replica` and
`dashboard_rows` are pure; `watch_runs` reads the files; `dashboard` is the widget and
`refresh_thread` the thread that refreshes it.
"""
