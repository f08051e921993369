"""What a person reads or hears where no code goes by telephone (`codes_by_telephone`)."""

from app.words.pages import N_

# For counsellors with nothing but a telephone: on pages, in texts and spoken.
ONLY_A_PIN = N_(
    "No code counts by telephone here. To change your duty, ring the line and enter your PIN. You "
    "choose it on the page Your account, signed in with a second factor."
)
