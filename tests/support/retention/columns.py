"""Every column that may hold something of a person: by which rule it goes, or why it stays.

A test walks the models and fails for a column that is in no list here. What is a code of the
program, an instant, an id or a number is not listed.
"""

from collections.abc import Mapping

from app.retention.kinds import DataKind

_D = DataKind

# By the kind of data with which a column goes, `table.column`; `table.*` is every column of it.
BY_RULE: Mapping[DataKind, tuple[str, ...]] = {
    _D.CALLER_NUMBERS: ("calls.caller_number_sealed",),
    _D.CALLER_HASHES: (
        "calls.caller_key",
        "callbacks.caller_key",
        "caller_wishes.*",
        "profile_numbers.*",
    ),
    _D.CALLER_FLAGS: ("caller_flags.*",),
    _D.THIRD_PARTY_NUMBERS: ("participants.number_sealed",),
    _D.VOICE_MESSAGES: ("voice_messages.audio_sealed",),
    _D.CHAT_MESSAGES: (
        "chat_messages.text_sealed",
        "calls.danger_words_sealed",
        "chat_media.content_sealed",
        "chat_media.source_sealed",
        # That the words spoke of danger.
        "calls.alarming",
    ),
    # A draft goes in the same way, by a rule of its own.
    _D.CONTACTS: (
        "contacts.answers",
        "contacts.sealed",
        "contacts.categories_sealed",
        "contacts.headline",
        "contacts.headline_words",
        "completed_versions.*",
        "earlier_answers.*",
        "match_keys.*",
        "record_events.words_sealed",
        "record_events.salt_sealed",
        "urgency_decisions.reason_sealed",
        "urgency_decisions.salt_sealed",
        "openings.reason_sealed",
        "call_questions.answer_sealed",
        "legal_holds.reason_sealed",
        "alarms.words_sealed",
        "emergencies.ground_sealed",
        "emergencies.review_sealed",
    ),
    _D.CASES: (
        "cases.answers",
        "cases.sealed",
        "cases.categories_sealed",
        "cases.headline",
        "cases.headline_words",
        "case_documents.name_sealed",
        "case_documents.content_sealed",
        "case_flags.words_sealed",
        "case_requests.reason_sealed",
        "follow_ups.words_sealed",
        "follow_ups.provider_sealed",
        "follow_ups.result_sealed",
    ),
    _D.REFERRALS: (
        "referrals.answers",
        "referrals.sealed",
        "referrals.categories_sealed",
        "referrals.headline",
        "referrals.headline_words",
        "consents.words_sealed",
        "consents.salt_sealed",
        "dispatches.place_sealed",
        "dispatches.words_sealed",
        "attempts.payload_sealed",
        "attempts.target",
        "deliveries.detail",
        "agency_cases.problem",
        "notices.detail",
    ),
    _D.EXPORT_FILES: ("export_parts.data_sealed",),
    _D.FILE_REASONS: ("exports.reason_sealed",),
    _D.DATA_REQUESTS: ("data_requests.words_sealed", "data_requests.extension_sealed"),
    _D.LOG: ("audit_entries.*",),
}

_COUNTED = "codes that are counted; without the rest of the record they are about no person"
_CODES = "codes, versions and places in a form"
SEALED_CODES = "sealed codes of services, which stay after an erasure"
_CHAINED = "what happened to a call or a record, as codes and ids: figures are counted from it"
SYSTEM = "about the helpline itself"
AGENCY = "about an agency and its duty phones; kept in the directory while it is asked"
ACCOUNT = "of an account; taken away when its person leaves, except the name, which the log needs"
SOON = "deleted by the program itself"
_OPAQUE = "an id of the provider that says nothing without the provider's own record"

# Why a column has no rule of an administrator.
WITHOUT_RULE: Mapping[str, str] = {
    **dict.fromkeys(
        [
            f"{table}.{column}"
            for table in ("contacts", "cases", "referrals")
            for column in ("place", "place_path")
        ],
        _COUNTED,
    ),
    **dict.fromkeys(
        [
            f"{table}.{column}"
            for table in ("contacts", "cases", "referrals")
            for column in ("code", "form", "categories", "places", "team", "versions")
        ],
        _CODES,
    ),
    "contacts.kind": _COUNTED,
    "referrals.services_sealed": f"{SEALED_CODES}: figures are counted by them, about no person",
    "consents.for_what_sealed": f"{SEALED_CODES}: what is left of the consent says for what it was",
    "cases.workflow": _CODES,
    "cases.status": _CODES,
    "profiles.code": "a code to say aloud; it leads nowhere once its numbers and contacts are gone",
    **dict.fromkeys(
        [
            "referrals.protocol",
            "referrals.child_entry",
            "referrals.to_confirm",
            "same_children.*",
            "case_documents.media_type",
            "case_documents.flags",
            "case_documents.details",
            "case_requests.to_status",
            "case_requests.to_team",
            "follow_ups.goal",
            "follow_ups.result",
            "openings.team",
            "openings.contacts",
            "contact_readers.cause",
            "participants.role",
            "consents.given_by",
            "consents.how",
            "consents.scope",
            "consents.withheld_from",
            "consents.despite",
            "disclosures.*",
            "recipients.why",
            "dispatches.team",
            "dispatches.result",
            "received_events.*",
            "deliveries.kind",
            "deliveries.last_response",
            "agency_cases.their_referral",
            "agency_cases.their_status",
            "agency_cases.mapping",
            "agency_cases.left_out",
            "attempts.language",
            "calls.language",
            "calls.wanted_skills",
            "calls.excluded_ids",
            "callbacks.language",
            "call_questions.code",
            "alarms.language",
            "voice_messages.audio_type",
            "chat_messages.sentence",
            "chat_media.media_type",
            "chat_media.kind",
            "chat_media.problem",
            "chat_media.scan",
            "data_request_items.label",
        ],
        _CODES,
    ),
    "chat_typing.text_sealed": "deleted with the message, and two minutes after the last key",
    "chat_fetched.content_sealed": f"{SOON} when it is heard; what cannot be, after 30 days",
    "chat_fetched.their_id": "the account of a line at its carrier",
    "chat_opt_outs.caller_key": "the hash of a number that wants no messages: none goes to it; "
    "deleted with the last call of it when a person asks",
    "chat_access.secret_key": "the hash of a secret of the child; deleted if its person asks",
    "calls.visit_key": "the hash of a key that a page made by chance; goes a day after the end",
    "chat_access.opened_with": "the hash of a key that a page made by chance",
    "chat_codes.code_key": "the hash of a code, which is made of an id; deleted when its time is "
    "over, the message done and its caller forgotten",
    **dict.fromkeys(
        ["consents.words_sum", "consents.for_what_sum", "urgency_decisions.words_sum"],
        "the sum of words: without its salt, which goes with them, it tells nothing",
    ),
    "callbacks.number_sealed": "deleted when the call-back is closed",
    **dict.fromkeys(
        [
            "record_events.kind",
            "record_events.detail",
            "record_events.words_digest",
            "record_events.words_sum",
            "record_events.previous",
            "record_events.hash",
            "call_events.*",
        ],
        _CHAINED,
    ),
    **dict.fromkeys(
        [
            "calls.provider_sid",
            "legs.provider_sid",
            "offers.conference_sid",
            "attempts.provider_sid",
            "voice_messages.recording_sid",
            "chat_messages.client_key",
            "chat_arrivals.*",
            "chat_sent.*",
            "provider_copies.sid",
        ],
        _OPAQUE,
    ),
    **dict.fromkeys(
        [
            "agencies.*",
            "address_changes.*",
            "duty_phones.*",
            "mandates.*",
            "links.*",
        ],
        AGENCY,
    ),
    **dict.fromkeys(
        [
            "staff.*",
            "second_factors.*",
            "passkeys.*",
            "staff_identities.*",
            "directory_accounts.external_id",
            "recovery_codes.*",
            "earlier_passwords.*",
            "password_links.*",
            "access_requests.*",
            "partner_requests.*",
            "phone_proofs.*",
            "staff_sessions.*",
            "former_tokens.*",
            "push_subscriptions.*",
            "calendar_feeds.*",
            "presences.*",
            "presence_changes.cause",
            "working_times.available",
            "rota_changes.reason",
            "shifts.*",
            "open_shifts.*",
            "week_templates.name",
            "rota_proposals.uncovered",
        ],
        ACCOUNT,
    ),
    "former_addresses.*": "keyed hashes by which a leaver is found; as long as the account",
    "alarms.acknowledged_by": ACCOUNT,
    "kept_entries.*": "of the log, what decides who made an account, as long as there is one",
    "log_beginnings.*": "where the log begins: numbers, instants and a hash",
    **dict.fromkeys(
        [f"alarm_attempts.{name}" for name in ("who", "target", "language", "result")],
        "where our own people and agencies on call were reached; about no child",
    ),
    "alarm_attempts.provider_sid": _OPAQUE,
    "team_messages.words_sealed": f"{SOON} after a day",
    "push_messages.provider_sid": f"{SOON} after days; it has no words",
    "practices.*": f"{SOON} after as many days as callers' numbers; the child is an invented one",
    "practice_acts.*": f"{SOON} with the practice",
    "practice_remarks.*": f"{SOON} with the practice",
    "connection_tests.*": f"{SOON}: the number when the test is over, the test after days",
    "passkey_challenges.*": f"{SOON} when it is answered, or after minutes",
    "set_up_codes.*": f"{SOON} when there is a first account",
    "provider_errands.*": f"{SOON} when the person is back, or after minutes",
    "emergencies.before_sealed": f"{SOON} when what was changed under it has gone back",
    **dict.fromkeys(
        ["emergencies.subject_kind", "emergencies.asked_role", "emergencies.decided_role"],
        "who opened what in an emergency; the ground goes with the record",
    ),
    "rate_limits.*": f"{SOON} after the window; hashes alone",
    "asked_tables.question": f"{SOON}; a hash of which table a program asked for",
    "asked_by_persons.question": f"{SOON} after a month; a hash of which table a person asked for",
    "data_requests.sought_sealed": f"{SOON} when the request is over and its report is gone",
    "data_request_files.*": f"{SOON} after seven days",
    **dict.fromkeys(
        [
            f"data_requests.{name}"
            for name in (
                *("code", "asked_role", "decided_role", "counts", "kept"),
                *("extension_because", "extension_months"),
            )
        ],
        "a receipt with counts and no content",
    ),
    **dict.fromkeys(
        [
            *(
                f"exports.{name}"
                for name in ("what", "format", "begins", "ends", "options", "digest", "problem")
            ),
            "exports.role",
            "exports.asked_role",
        ],
        "what was asked for and by whom, for the log",
    ),
    **dict.fromkeys(
        [
            "anchor_deliveries.*",
            "anchors.*",
            "api_tokens.*",
            "backups.*",
            "chat_accounts.*",
            "chat_earlier_accounts.*",
            "emergencies_seen.*",
            "identity_providers.*",
            "coverage_alarms.language",
            "definition_sets.*",
            "definitions.*",
            "dialling_rules.*",
            "dials.country",
            "earlier_numbers.*",
            "earlier_prompts.*",
            "field_keys.*",
            "sealed_counts.*",
            "hash_keys.*",
            "holidays.name",
            "line_languages.*",
            "line_numbers.number",
            "lines.*",
            "own_catalogues.*",
            "own_settings.*",
            "prompts.*",
            "public_releases.*",
            "push_keys.*",
            "report_schedules.*",
            "sign_in_rules.*",
            "statistic_columns.*",
            "wallboards.*",
        ],
        SYSTEM,
    ),
}
