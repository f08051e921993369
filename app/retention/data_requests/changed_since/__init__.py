"""Which rows of a request may be about another person since they were searched.

A record that tells of other children than then is neither erased nor shown, and what belongs to it
neither. Nor is a row to which the same search leads no more: a number was put right, a contact was
told apart from its profile or taken out of its case. Nor is one that the search would mark, and did
not then: another record has another name by now, or it is known that another person rang. An
erasure is given back before it begins, and its officer decides anew; the receipt of a report says
so. What cannot be compared counts as changed.
"""
