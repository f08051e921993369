"""Numbers that add up: measures, windows, summaries, reports, exports, planning.

Everything is counted from *facts*: one row for each call and for each contact without a call.
`facts.py` derives them from the record, and `days.py` keeps them a day at a time. Each measure is
defined once, in `measures.py`.
"""
