"""All tables, for migrations."""

from app.administration import models as administration
from app.calls import caller_rows
from app.calls import models as calls
from app.calls.lines import line_rows
from app.chats import carrier_rows
from app.chats import models as chats
from app.contacts import models as contacts
from app.contacts.cases import models as cases
from app.database.base import Base
from app.definitions import models as definitions
from app.dialling import models as dialling
from app.outbox.push import models as push
from app.people import connection_rows, directory_rows, wallboards
from app.people.approval import rows as access_request_rows
from app.people.provider import rows as provider
from app.people.setting_up import set_up_rows
from app.privacy import models as privacy
from app.referrals import models as referrals
from app.referrals.channels import models as channels
from app.referrals.directory import address_rows
from app.referrals.directory import models as directory
from app.retention import models as retention
from app.retention.data_requests import models as data_requests
from app.routing import alarm_rows
from app.routing import models as routing
from app.routing.callbacks import callback_rows
from app.routing.participants import participants as talks
from app.routing.rota import models as rota
from app.routing.rota import planning_rows
from app.routing.supervision import team_messages
from app.safekeeping import models as safekeeping
from app.staff import emergency_rows, log_rows, passkey_rows
from app.staff import models as staff
from app.statistics import models as statistics
from app.training import models as training
from app.web import models as web

metadata = Base.metadata

__all__ = [
    "access_request_rows",
    "address_rows",
    "administration",
    "alarm_rows",
    "callback_rows",
    "caller_rows",
    "calls",
    "carrier_rows",
    "cases",
    "channels",
    "chats",
    "connection_rows",
    "contacts",
    "data_requests",
    "definitions",
    "dialling",
    "directory",
    "directory_rows",
    "emergency_rows",
    "line_rows",
    "log_rows",
    "metadata",
    "passkey_rows",
    "planning_rows",
    "privacy",
    "provider",
    "push",
    "referrals",
    "retention",
    "rota",
    "routing",
    "safekeeping",
    "set_up_rows",
    "staff",
    "statistics",
    "talks",
    "team_messages",
    "training",
    "wallboards",
    "web",
]
