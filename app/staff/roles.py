"""Which role may do what. Pure: a table, and a function that reads it."""

from enum import StrEnum


class Role(StrEnum):
    COUNSELLOR = "counsellor"
    SUPERVISOR = "supervisor"
    ADMINISTRATOR = "administrator"
    REFERRAL_OFFICER = "referral_officer"
    AUDITOR = "auditor"


class Permission(StrEnum):
    TAKE_CALLS = "take_calls"
    SEE_QUEUE = "see_queue"
    SEE_OWN_CALLS = "see_own_calls"
    SEE_ALL_CALLS = "see_all_calls"
    END_ANY_CALL = "end_any_call"
    # Supporting trainees, listening in, whispering, joining a talk.
    SUPERVISE = "supervise"
    HEAR_MESSAGES = "hear_messages"
    # Flags and wishes of the callers of readable calls, and opening their numbers.
    KNOW_CALLERS = "know_callers"
    # The rota: seeing who is on duty when, and planning it.
    SEE_ROSTER = "see_roster"
    PLAN_ROSTER = "plan_roster"
    READ_LOG = "read_log"
    # Contacts and cases: a person's own, and those shared with them; a supervisor's whole team.
    READ_RECORDS = "read_records"
    READ_TEAM_RECORDS = "read_team_records"
    WRITE_CONTACTS = "write_contacts"
    WRITE_CASES = "write_cases"
    # The category codes that stand for none of the framework tree, and the definitions in force.
    SEE_DEFINITIONS = "see_definitions"
    # Referrals: a person's own, and those of their contacts; for a supervisor, those of the team;
    # for a referral officer, all.
    SEE_REFERRALS = "see_referrals"
    SEE_ALL_REFERRALS = "see_all_referrals"
    WRITE_REFERRALS = "write_referrals"
    # All running deadlines, overrides to be reviewed, events that could not be delivered.
    SEE_DEADLINES = "see_deadlines"
    SEE_DIRECTORY = "see_directory"
    KEEP_DIRECTORY = "keep_directory"
    # Figures without identities.
    SEE_STATISTICS = "see_statistics"
    # Figures of single counsellors; requests for files about single calls and contacts, and the
    # decision of a second person on them; releases, and reports that are sent.
    SEE_STAFF_STATISTICS = "see_staff_statistics"
    # Single calls, to the second, without what was said.
    SEE_SINGLE_CALLS = "see_single_calls"
    EXPORT_RECORDS = "export_records"
    APPROVE_EXPORTS = "approve_exports"
    PUBLISH = "publish"
    # Secret addresses of screens that show figures of now, without names.
    KEEP_WALLBOARDS = "keep_wallboards"
    # Lines: numbers, hours, plans, languages, and what callers hear.
    KEEP_LINES = "keep_lines"
    # Definitions: uploading a set of them, putting it in force, taking it back.
    KEEP_DEFINITIONS = "keep_definitions"
    # Which numbers are dialled, how many, and what was refused.
    KEEP_DIALLING = "keep_dialling"
    # The times and limits that the helpline decides in place of its server.
    KEEP_SETTINGS = "keep_settings"
    # Tokens of programs that read figures.
    KEEP_TOKENS = "keep_tokens"
    # What the program is connected to: mail, texts, agencies' systems, and whether they work.
    KEEP_CONNECTIONS = "keep_connections"
    # Accounts: inviting, changing, deactivating, and handing over what a person holds.
    KEEP_PEOPLE = "keep_people"
    # Accounts that would learn of children: seeing and refusing what waits. A person who reads the
    # records of others approves (`app/staff/second_person.py`).
    SEE_ACCESS_REQUESTS = "see_access_requests"
    # For programs only: a directory of people adds accounts, and ends them.
    SYNC_PEOPLE = "sync_people"
    # Emergency access by two people: asking for it, confirming what another person asked for, being
    # alarmed of each, and writing the review.
    ASK_EMERGENCY = "ask_emergency"
    CONFIRM_EMERGENCY = "confirm_emergency"
    SEE_EMERGENCIES = "see_emergencies"
    REVIEW_EMERGENCIES = "review_emergencies"
    # How long each kind of data is kept: seeing it, with what a night would erase; changing it.
    SEE_RETENTION = "see_retention"
    KEEP_RETENTION = "keep_retention"
    # Back-ups and the anchors of the logs: when the last ones were made.
    SEE_BACKUPS = "see_backups"
    # The keys that seal what is stored: which one seals, and sealing everything anew.
    KEEP_KEYS = "keep_keys"
    # Legal holds: a record that is not erased, and lifting the hold again.
    HOLD_RECORDS = "hold_records"
    # Requests of a person about their data: seeing what was asked and what came of it; finding,
    # asking and opening the report; deciding as the second person.
    SEE_DATA_REQUESTS = "see_data_requests"
    ANSWER_DATA_REQUESTS = "answer_data_requests"
    DECIDE_DATA_REQUESTS = "decide_data_requests"
    # For everyone who is signed in: their own account, the live stream, signing out.
    SIGNED_IN = "signed_in"


_P = Permission
PERMISSIONS: dict[Role, frozenset[Permission]] = {
    Role.COUNSELLOR: frozenset(
        {
            _P.SIGNED_IN,
            _P.ASK_EMERGENCY,
            _P.TAKE_CALLS,
            _P.SEE_QUEUE,
            _P.SEE_ROSTER,
            _P.SEE_OWN_CALLS,
            _P.HEAR_MESSAGES,
            _P.KNOW_CALLERS,
            _P.READ_RECORDS,
            _P.WRITE_CONTACTS,
            _P.WRITE_CASES,
            _P.SEE_REFERRALS,
            _P.WRITE_REFERRALS,
            _P.SEE_DIRECTORY,
        }
    ),
    Role.SUPERVISOR: frozenset(
        {
            _P.SIGNED_IN,
            _P.ASK_EMERGENCY,
            _P.CONFIRM_EMERGENCY,
            _P.SEE_EMERGENCIES,
            _P.SEE_ACCESS_REQUESTS,
            _P.TAKE_CALLS,
            _P.SEE_QUEUE,
            _P.SEE_OWN_CALLS,
            _P.SEE_ALL_CALLS,
            _P.END_ANY_CALL,
            _P.SUPERVISE,
            _P.SEE_ROSTER,
            _P.PLAN_ROSTER,
            _P.KNOW_CALLERS,
            _P.HEAR_MESSAGES,
            _P.READ_RECORDS,
            _P.READ_TEAM_RECORDS,
            _P.WRITE_CONTACTS,
            _P.WRITE_CASES,
            _P.SEE_DEFINITIONS,
            _P.SEE_REFERRALS,
            _P.WRITE_REFERRALS,
            _P.SEE_DEADLINES,
            _P.SEE_DIRECTORY,
            _P.KEEP_DIRECTORY,
            _P.SEE_STATISTICS,
            _P.SEE_STAFF_STATISTICS,
            _P.SEE_SINGLE_CALLS,
            _P.EXPORT_RECORDS,
            _P.APPROVE_EXPORTS,
            _P.HOLD_RECORDS,
            _P.SEE_DATA_REQUESTS,
            _P.ANSWER_DATA_REQUESTS,
            _P.DECIDE_DATA_REQUESTS,
        }
    ),
    # Figures without identities: the facts of calls, but no messages and no talks.
    Role.ADMINISTRATOR: frozenset(
        {
            _P.SIGNED_IN,
            _P.ASK_EMERGENCY,
            _P.CONFIRM_EMERGENCY,
            _P.SEE_EMERGENCIES,
            _P.REVIEW_EMERGENCIES,
            _P.SEE_QUEUE,
            _P.SEE_ROSTER,
            _P.PLAN_ROSTER,
            _P.SEE_ALL_CALLS,
            _P.SEE_DEFINITIONS,
            _P.SEE_DIRECTORY,
            _P.KEEP_DIRECTORY,
            _P.SEE_STATISTICS,
            _P.SEE_STAFF_STATISTICS,
            _P.SEE_SINGLE_CALLS,
            _P.EXPORT_RECORDS,
            _P.APPROVE_EXPORTS,
            _P.PUBLISH,
            _P.KEEP_WALLBOARDS,
            _P.KEEP_LINES,
            _P.KEEP_DEFINITIONS,
            _P.KEEP_DIALLING,
            _P.KEEP_SETTINGS,
            _P.KEEP_TOKENS,
            _P.KEEP_CONNECTIONS,
            _P.KEEP_PEOPLE,
            _P.SEE_ACCESS_REQUESTS,
            _P.SEE_RETENTION,
            _P.SEE_BACKUPS,
            _P.KEEP_RETENTION,
            _P.KEEP_KEYS,
            _P.HOLD_RECORDS,
            _P.SEE_DATA_REQUESTS,
            _P.DECIDE_DATA_REQUESTS,
        }
    ),
    Role.REFERRAL_OFFICER: frozenset(
        {
            _P.SIGNED_IN,
            _P.ASK_EMERGENCY,
            _P.CONFIRM_EMERGENCY,
            _P.SEE_EMERGENCIES,
            _P.SEE_ACCESS_REQUESTS,
            _P.READ_RECORDS,
            _P.WRITE_CASES,
            _P.SEE_REFERRALS,
            _P.SEE_ALL_REFERRALS,
            _P.WRITE_REFERRALS,
            _P.SEE_DEADLINES,
            _P.SEE_DIRECTORY,
            _P.KEEP_DIRECTORY,
            _P.SEE_STATISTICS,
        }
    ),
    Role.AUDITOR: frozenset(
        {
            _P.SIGNED_IN,
            _P.SEE_EMERGENCIES,
            _P.REVIEW_EMERGENCIES,
            _P.READ_LOG,
            _P.SEE_ALL_CALLS,
            _P.SEE_DIRECTORY,
            _P.SEE_STATISTICS,
            _P.SEE_RETENTION,
            _P.SEE_BACKUPS,
            _P.SEE_DATA_REQUESTS,
        }
    ),
}


# By the name of the role: each request asks several times.
_BY_NAME = {role.value: held for role, held in PERMISSIONS.items()}
_NONE: frozenset[Permission] = frozenset()


def may(role: str, permission: Permission) -> bool:
    """Return whether the role holds the permission; an unknown role holds none."""
    return permission in _BY_NAME.get(role, _NONE)


# What opens records, talks or reports of other people than one's own callers.
_OF_OTHERS = frozenset(
    {_P.READ_TEAM_RECORDS, _P.SEE_ALL_REFERRALS, _P.SUPERVISE, _P.ANSWER_DATA_REQUESTS}
)


def reads_others(role: str) -> bool:
    """Return whether a role reads the records of others; an unknown role reads none."""
    return any(may(role, permission) for permission in _OF_OTHERS)


# What lets a person learn of children at all: by records, messages or talks, their own as well.
_OF_CHILDREN = _OF_OTHERS | {
    _P.READ_RECORDS,
    _P.SEE_REFERRALS,
    _P.HEAR_MESSAGES,
    _P.KNOW_CALLERS,
    _P.TAKE_CALLS,
}


def reads_records(role: str) -> bool:
    """Return whether a role learns of children; an unknown role learns of none."""
    return any(may(role, permission) for permission in _OF_CHILDREN)


def knows_as_much(role: str, other: str) -> bool:
    """Return whether a role learns of children in each way in which another one does."""
    return all(may(role, one) for one in _OF_CHILDREN if may(other, one))


def gives_sight(before: str, after: str) -> bool:
    """Return whether a change of role needs two people: it lets a person read the records of
    others, or learn of children who could not before."""
    return reads_others(after) or (reads_records(after) and not reads_records(before))


# Which roles a person of a role may give to another; the others give none. No person gives a role
# to themselves. The administrator's own permissions are not a limit of what they give: they keep
# accounts, but hear no messages and read no records.
GIVES: dict[Role, frozenset[Role]] = {Role.ADMINISTRATOR: frozenset(Role)}


def may_give(role: str, given: Role) -> bool:
    """Return whether a person of a role may give another person that role, or take it away."""
    return given in GIVES.get(Role(role), frozenset())


def lost_between(before: Role, after: Role) -> frozenset[Permission]:
    """Return the permissions that a change of role takes away."""
    return PERMISSIONS[before] - PERMISSIONS[after]
