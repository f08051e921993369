"""All tables, for migrations."""

from app.calls import models as calls
from app.database.base import Base
from app.routing import models as routing
from app.staff import models as staff

metadata = Base.metadata

__all__ = ["calls", "metadata", "routing", "staff"]
