"""What stands in facts, figures and files for a value that there is not. Pure."""

from enum import StrEnum

# The contact exists, but nothing was said; there is no contact (or no counsellor) at all.
NOT_SAID, NONE = "?", "-"


class Unknown(StrEnum):
    """What figures, files and the API write in place of a value that there is not."""

    NOT_RECORDED = "not_recorded"
    DOES_NOT_APPLY = "does_not_apply"


# How each is stored.
STORED_AS = {Unknown.NOT_RECORDED: NOT_SAID, Unknown.DOES_NOT_APPLY: NONE}
# An unknown number.
MISSING = -1
