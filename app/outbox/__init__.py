"""Send once, and ask when uncertain: legs, messages, mail and events. The only copy of that rule.

`once.py` is the rule, `rows.py` what a row keeps for it, `responses.py` what the other side can
say, and `mail.py` the way to a mail server.
"""
