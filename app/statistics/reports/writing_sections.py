"""Sections of reports about written conversations, and about the first word of a person."""

from datetime import date

from app.statistics.counting.at_once import AtOnce
from app.statistics.counting.counsellors import AllCounsellors
from app.statistics.counting.feedback import ANSWERS, QUESTIONS, Answers
from app.statistics.counting.period_words import period_words
from app.statistics.counting.summary import Summary
from app.statistics.periods import Period
from app.statistics.reports import sections as part
from app.statistics.reports.sections import Grid, Section, duration
from app.words import child_texts
from app.words.pages import N_, _, code_words, date_words, number_words, reader, said, share_words

FIRST_WORDS = (
    "calls",
    "first_word_median",
    "first_word_p90",
    "answered_later",
    "first_answer_median",
)
IN_WRITING = (
    "conversations",
    "messages_of_child_median",
    "messages_of_helpline_median",
    "left_typing",
    "codes_given",
    "codes_used",
)
_AT_ONCE = (
    N_("time with conversations"),
    N_("at once, mean"),
    N_("most at once"),
    N_("one"),
    N_("two"),
    N_("three"),
    N_("four or more"),
)


def by_channel(summary: Summary) -> list[Section]:
    """Return the first words and the written conversations, by channel."""
    return [
        part.by_dimension(summary, _("First word of a person, by channel"), FIRST_WORDS),
        part.by_dimension(summary, _("Written conversations by channel"), IN_WRITING),
    ]


def load_of_room(found: AllCounsellors) -> Section:
    """Return how many conversations each counsellor had at once."""
    rows = [
        [one.name if one is not found.all else said(one.name), *_load(one.load)]
        for one in (*found.counsellors, found.all)
        if one.load.seconds or one is found.all
    ]
    return _loads(rows)


def load_by_day(found: list[tuple[str, AtOnce]], whole: AtOnce) -> Section:
    """Return how many conversations all counsellors together had at once, by day."""
    rows = [
        [date_words(date.fromisoformat(day), N_("dd MMM")), *_load(one)]
        for day, one in found
        if one.seconds
    ]
    return _loads([*rows, [_("All days"), *_load(whole)]])


def _loads(rows: list[list[str]]) -> Section:
    columns = ["", *(said(name) for name in _AT_ONCE)]
    return Section(_("Written conversations at once"), grid=Grid(columns, rows))


def _load(one: AtOnce) -> list[str]:
    found = one.figures()
    mean = found.pop("chats_at_once")
    time, most, *shares = found.values()
    return [
        duration(time),
        "–" if mean is None else number_words(mean, "0.00"),
        str(most),
        *("–" if share is None else share_words(share) for share in shares),
    ]


def feedback_section(question: str, found: list[Answers]) -> Section:
    """Return the answers to a question by month and channel."""
    words = child_texts(reader())["page"]
    answers = [words[f"rate_{n}"] for n in ANSWERS]
    rows = [
        [
            period_words(Period.MONTH, one.month),
            code_words(one.channel),
            *(str(one.counts[n]) for n in ANSWERS),
            str(one.all),
        ]
        for one in found
        if one.question == question
    ]
    columns = [_("month"), _("channel"), *answers, _("all")]
    return Section(words[f"rate_{question}"], said(QUESTIONS[question]), grid=Grid(columns, rows))
