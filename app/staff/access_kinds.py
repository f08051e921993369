"""Which changes of an account wait for a second person."""

from enum import StrEnum


class AccessKind(StrEnum):
    """What takes effect when a second person approves."""

    # An account becomes active: a new one, or one that had left.
    ACCOUNT = "account"
    # Its role, e-mail address or team becomes another one, or its calls ring at another telephone.
    CHANGE = "change"
    # A link by which a password is chosen opens.
    LINK = "link"
    # The second factor is taken away; with a link, that one opens as well.
    FACTOR = "factor"
    # A code proves its telephone.
    PHONE_CODE = "phone_code"
    # A person at the provider of identities signs in to it.
    IDENTITY = "identity"
