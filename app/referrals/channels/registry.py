"""All channels to an agency, in the order in which they are used: the only list of them."""

from app.outbox.channels import ChannelKind
from app.referrals.channels.base import AgencyChannel, MessageChannel, SystemChannel
from app.referrals.channels.email.channel import CHANNEL as EMAIL
from app.referrals.channels.phone.channel import CHANNEL as PHONE
from app.referrals.channels.primero.channel import CHANNEL as PRIMERO
from app.referrals.channels.sms.channel import CHANNEL as SMS
from app.referrals.channels.webhook.channel import CHANNEL as WEBHOOK
from app.referrals.directory.models import Agency

# A new channel is one line here.
CHANNELS: tuple[AgencyChannel, ...] = (EMAIL, SMS, PHONE, PRIMERO, WEBHOOK)
_OF_KIND = {channel.kind: channel for channel in CHANNELS}


def message_channel(kind: str) -> MessageChannel:
    """Return the message channel of an attempt's kind."""
    channel = _OF_KIND[ChannelKind(kind)]
    assert isinstance(channel, MessageChannel)
    return channel


def writing_to(agency: Agency | None) -> list[tuple[MessageChannel, str]]:
    """Return the channels by which the people of an agency are written to, with its addresses.

    Nothing goes to an address of our own people on call that is that of a person who has left.
    """
    return [
        (channel, address)
        for channel in CHANNELS
        if isinstance(channel, MessageChannel) and channel.is_written
        if agency is not None and (address := channel.address_of(agency))
        if address not in agency.of_leavers
    ]


def systems_of(agency: Agency | None) -> list[SystemChannel]:
    """Return the channels to an agency's own programs."""
    return [
        channel
        for channel in CHANNELS
        if isinstance(channel, SystemChannel)
        if agency is not None and channel.address_of(agency)
    ]


def is_reached_otherwise(agency: Agency, than: ChannelKind) -> bool:
    """Return whether an agency is written to, or its programs are told, by another channel."""
    kinds = [channel.kind for channel, _ in writing_to(agency)]
    kinds += [channel.kind for channel in systems_of(agency)]
    return any(kind is not than for kind in kinds)
