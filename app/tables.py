"""All tables, for migrations."""

from app.calls import models as calls
from app.contacts import models as contacts
from app.database.base import Base
from app.routing import models as routing
from app.staff import models as staff

metadata = Base.metadata

__all__ = ["calls", "contacts", "metadata", "routing", "staff"]
