"""Numbers that add up: measures, windows, summaries, reports, exports, planning.

Everything is counted from *facts*: one row for each call and for each contact without a call,
made from the record by `facts.py` and kept a day at a time by `days.py`. Each measure is
defined once, in `measures.py`.
"""
