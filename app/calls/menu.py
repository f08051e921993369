"""The keys that a caller may press, besides those of a line: for danger, and for its languages."""

# While waiting, or where no counsellor is there: leave a voice message.
MESSAGE_DIGIT = "1"
# While waiting: ask for the counsellor of the last call.
LAST_DIGIT = "2"
CALLBACK_DIGIT = "3"
# How many times a menu is asked before the line's first language is taken.
MENU_ATTEMPTS = 3
