"""All tables, for migrations."""

from app.calls import models as calls
from app.contacts import models as contacts
from app.database.base import Base
from app.referrals import models as referrals
from app.routing import callbacks
from app.routing import models as routing
from app.routing.participants import company as talks
from app.staff import models as staff
from app.statistics import models as statistics

metadata = Base.metadata

__all__ = [
    "callbacks",
    "calls",
    "contacts",
    "metadata",
    "referrals",
    "routing",
    "staff",
    "statistics",
    "talks",
]
