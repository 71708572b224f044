"""What people look at, made from events and trades: tables, figures, pages and charts.

Pure: data in, frames, numbers and text out. Nothing here reads a clock or a disk or calls user
code. pandas is imported inside the functions that make a Series or a DataFrame.
"""
