"""What a person writes who wants no more texts. No database."""

import pytest

from app.telephony.messaging.stopping import means_stop


@pytest.mark.parametrize("text", ["STOP", " stop. ", "Odjava!", "СТОП", "إلغاء الاشتراك"])
def test_a_whole_text_that_says_stop_means_it(text: str) -> None:
    assert means_stop(text)


@pytest.mark.parametrize(
    "text",
    [
        *("", "help", "stop it he says", "ne mogu da stanem", "kraj"),
        *("Stani.", "стани", "prekini", "Стій", "end", "cancel"),
    ],
)
def test_a_child_who_tells_something_does_not_say_stop(text: str) -> None:
    assert not means_stop(text)
