"""The names of jobs, and of the queues in which they wait.

A name begins with the area that carries the job out.
"""

from enum import StrEnum

from app.work import JobName


class Queue(StrEnum):
    """A queue; a worker carries out several jobs of each at once."""

    DEFAULT = "default"
    # Jobs that wait for mail servers.
    MAIL = "mail"
    # Jobs that wait for agencies' systems.
    OUTSIDE = "outside"
    # Pictures and voice notes of children, which take long to check.
    MEDIA = "media"
    # Long jobs on figures.
    NUMBERS = "numbers"
    # Copies of the whole server.
    BACKUPS = "backups"


class Task(JobName):
    """A job that one area asks for and another may carry out."""

    FOLLOW_CONVERSATION = "chats:follow_conversation"
    WATCH_CARRIED = "chats:watch_carried"

    CLOSE_OPENING = "contacts:close_opening"
    MAIL_FOLLOW_UP = "contacts:mail_follow_up"
    MAIL_REQUEST = "contacts:mail_request"
    OVERDUE = "contacts:overdue"
    REBUILD_KEYS = "contacts:rebuild_keys"
    REMIND = "contacts:remind"

    SEND_PUSH = "outbox:send_push"

    SEAL_MARKED = "country:seal_marked"

    TELL_LEADS_ELSEWHERE = "administration:tell_leads_elsewhere"
    UNDO_SETTINGS = "administration:undo_settings"
    WATCH_LEAVER = "administration:watch_leaver"

    CARRY_HASHES = "sealing:carry_hashes"
    RESEAL = "sealing:reseal"

    CLOSE_EMERGENCY = "people:close_emergency"
    TELL_EMERGENCY = "people:tell_emergency"
    CHECK_LOG = "people:check_log"
    MAIL_LINK = "people:mail_link"
    TAKE_OUT_OF_SERVICE = "people:take_out_of_service"
    TELL_OWNER = "people:tell_owner"

    AFTER_BREACH = "referrals:after_breach"
    ALARM_OVER = "referrals:alarm_over"
    ALARM_TURN = "referrals:alarm_turn"
    ANNOUNCE_UPDATE = "referrals:announce_update"
    ASK_AGENCY_CASE = "referrals:ask_agency_case"
    DANGER_UNANSWERED = "referrals:danger_unanswered"
    DEADLINE = "referrals:deadline"
    DELIVER = "referrals:deliver"
    END_AGENCY_CASE = "referrals:end_agency_case"
    ESCALATE = "referrals:escalate"
    ESCALATE_NOTICE = "referrals:escalate_notice"
    MAIL_NOTICE = "referrals:mail_notice"
    MAIL_STAFFING_ALARM = "referrals:mail_staffing_alarm"
    MAKE_AGENCY_CASE = "referrals:make_agency_case"
    RECORD_SAYS_NO = "referrals:record_says_no"
    SEND_MAIL = "referrals:send_mail"
    TELL_OF_NEW_ADDRESS = "referrals:tell_of_new_address"
    TAKE_SIBLINGS = "referrals:take_siblings"
    UPDATE_AGENCY_CASE = "referrals:update_agency_case"
    WATCH_DANGER = "referrals:watch_danger"

    CARRY_OUT_REQUEST = "retention:carry_out_request"
    ERASE_DUE = "retention:erase_due"
    FOLLOW_COUNTRY = "retention:follow_country"
    REMIND_OF_REQUESTS = "retention:remind_of_requests"
    TELL_REQUEST_ENDED = "retention:tell_request_ended"
    TELL_SHORTER_RULES = "retention:tell_shorter_rules"

    MAIL_ALARM = "routing:mail_alarm"
    MAIL_VOLUME = "routing:mail_volume"

    DELIVER_ANCHOR = "safekeeping:deliver_anchor"
    MAIL_SAFEKEEPING = "safekeeping:mail_safekeeping"
    MAKE_BACKUP = "safekeeping:make_backup"

    ANNOUNCE_REPORT = "statistics:announce_report"
    KEEP_DAYS = "statistics:keep_days"
    MAKE_EXPORT = "statistics:make_export"
    PROPOSE_ROTA = "statistics:propose_rota"
    SEND_REPORT = "statistics:send_report"

    ASK_CALLER = "telephony:ask_caller"
    ASK_DUTY_LEG = "telephony:ask_duty_leg"
    CALLBACK_NOT_NEEDED = "telephony:callback_not_needed"
    CALLBACK_OVER = "telephony:callback_over"
    CARRY_CALLER = "telephony:carry_caller"
    CARRY_COUNSELLOR = "telephony:carry_counsellor"
    COMPARE = "telephony:compare"
    DELETE_COPY = "telephony:delete_copy"
    END_ALARM_LEG = "telephony:end_alarm_leg"
    END_CALLER = "telephony:end_caller"
    END_DIALLED = "telephony:end_dialled"
    END_DUTY_LEG = "telephony:end_duty_leg"
    END_HOLD = "telephony:end_hold"
    END_LEG = "telephony:end_leg"
    FIND_COPIES = "telephony:find_copies"
    FOLLOW_CALL = "telephony:follow_call"
    HOLD_FOR_COUNSELLOR = "telephony:hold_for_counsellor"
    IMPORT_MESSAGE = "telephony:import_message"
    JOIN_COUNSELLOR = "telephony:join_counsellor"
    LOOK_AT_TALK = "telephony:look_at_talk"
    MOVE_CALLER = "telephony:move_caller"
    NOTE_DANGER = "telephony:note_danger"
    PRACTICE_ENDED = "telephony:practice_ended"
    RECONCILE_CALL = "telephony:reconcile_call"
    RETURN_CALLER = "telephony:return_caller"
    RING_ALARM_PHONE = "telephony:ring_alarm_phone"
    RING_CALLBACK = "telephony:ring_callback"
    RING_COUNSELLOR = "telephony:ring_counsellor"
    RING_DUTY_PHONE = "telephony:ring_duty_phone"
    RING_PARTICIPANT = "telephony:ring_participant"
    RING_PRACTICE = "telephony:ring_practice"
    WATCH_WRITTEN_PRACTICE = "telephony:watch_written_practice"
    SAY_IN_PRACTICE = "telephony:say_in_practice"
    SEND_ALARM_MESSAGE = "telephony:send_alarm_message"
    SEND_MESSAGE = "telephony:send_message"
    SEND_TO_CHILD = "telephony:send_to_child"
    FETCH_MEDIA = "telephony:fetch_media"
    ASK_ACCOUNT = "telephony:ask_account"
    SET_UP_ACCOUNT = "telephony:set_up_account"
    SET_UP_ACCOUNTS = "telephony:set_up_accounts"
    SEND_TEST_MESSAGE = "telephony:send_test_message"
    RING_TEST_PHONE = "telephony:ring_test_phone"
    END_TEST_CALL = "telephony:end_test_call"
    SET_HOLD = "telephony:set_hold"
    SET_MUTE = "telephony:set_mute"
    SET_PARTICIPANT_MODE = "telephony:set_participant_mode"
    SETTLE_CONNECTION = "telephony:settle_connection"
    SETTLE_DIALLED = "telephony:settle_dialled"
    SETTLE_FINISH = "telephony:settle_finish"
    SETTLE_LEAVE = "telephony:settle_leave"
    SETTLE_TALK = "telephony:settle_talk"
    TELL_MISSED = "telephony:tell_missed"
    TEXT_OF_NEW_ADDRESS = "telephony:text_of_new_address"
    TEXT_PHONE_CODE = "telephony:text_phone_code"
    WATCH_CALLBACK = "telephony:watch_callback"
    WATCH_DIALLED = "telephony:watch_dialled"
    WATCH_PARTNER = "telephony:watch_partner"
