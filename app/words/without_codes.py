"""What a person reads or hears where no code goes by phone (`codes_by_telephone`)."""

from app.words.pages import N_

# For counsellors with nothing but a phone: on pages, in texts and spoken.
ONLY_A_PIN = N_(
    "No code counts by phone here. Enter your PIN instead, when you ring the line to change "
    "your duty or when we ring you. You choose it on the page Your account, signed in with a "
    "second factor."
)
