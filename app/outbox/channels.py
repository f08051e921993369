"""The ways to an agency, and to the people of the helpline whom an alarm is for."""

from enum import StrEnum


class ChannelKind(StrEnum):
    """The ways to an agency; `app/referrals/channels` has a folder for each."""

    PHONE = "phone"
    SMS = "sms"
    EMAIL = "email"
    WEBHOOK = "webhook"
    PRIMERO = "primero"


# By these a person is reached: each call or message is an attempt.
MESSAGES = (ChannelKind.PHONE, ChannelKind.SMS, ChannelKind.EMAIL)
# What comes by these comes by phone.
BY_TELEPHONE = (ChannelKind.PHONE, ChannelKind.SMS)
