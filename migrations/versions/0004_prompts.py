"""What every line says until it says something else, in English and Serbian."""

from uuid import uuid4

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

ENGLISH = {
    "greeting": (
        "Hello. This is {line}. You are not alone. What you tell us stays with us, "
        "unless you or somebody else is in danger."
    ),
    "choose_language": "For English, press {digit}.",
    "danger": "If you are in danger right now, press {digit}.",
    "wait_first": "We are looking for somebody to talk with you. Please stay on the line.",
    "wait_next": "You are next.",
    "wait_place": "Callers before you: {ahead}.",
    "comfort": "It is good that you called. We have not forgotten you.",
    "long_wait": (
        "Everybody is still talking with other children. "
        "To leave us a message, press {digit}. Or stay on the line: you keep your place."
    ),
    "out_of_hours": (
        "Nobody is here to talk with you right now. We are back on {resumes}. "
        "If you are in danger, ring {emergency}, now."
    ),
    "out_of_hours_unknown": (
        "Nobody is here to talk with you right now. If you are in danger, ring {emergency}, now."
    ),
    "no_counsellor_on_duty": (
        "Nobody can talk with you at this moment. Please try again in a few minutes. "
        "If you are in danger, ring {emergency}, now."
    ),
    "leave_message": (
        "You can leave us a message after the tone. When you have finished, press hash."
    ),
    "message_thanks": "Thank you. Somebody will listen to your message. You may hang up now.",
    "returned": (
        "The connection to your counsellor was lost. It was not your fault. "
        "Stay on the line: you are first."
    ),
    "hold": "Your counsellor will be back with you in a moment.",
    "goodbye": "Thank you for calling. You can call again at any time.",
    "whisper": (
        "A call to {line} is waiting. To take it, press {digit}. When the talk is over, press star."
    ),
    "taken": "The call has already been taken. Thank you.",
}

SERBIAN = {
    "greeting": (
        "Zdravo. Dobio si {line}. Nisi sam. Ono što nam kažeš ostaje među nama, "
        "osim ako si ti ili je neko drugi u opasnosti."
    ),
    "choose_language": "Za srpski pritisni {digit}.",
    "danger": "Ako si sada u opasnosti, pritisni {digit}.",
    "wait_first": "Tražimo nekoga ko će razgovarati sa tobom. Molimo te, ostani na vezi.",
    "wait_next": "Ti si na redu.",
    "wait_place": "Broj poziva pre tebe: {ahead}.",
    "comfort": "Dobro je što si pozvao. Nismo te zaboravili.",
    "long_wait": (
        "Svi još razgovaraju sa drugom decom. "
        "Da nam ostaviš poruku, pritisni {digit}. Ili ostani na vezi: čuvamo ti mesto."
    ),
    "out_of_hours": (
        "Sada nema nikoga ko bi razgovarao sa tobom. Ponovo smo tu: {resumes}. "
        "Ako si u opasnosti, odmah pozovi {emergency}."
    ),
    "out_of_hours_unknown": (
        "Sada nema nikoga ko bi razgovarao sa tobom. Ako si u opasnosti, odmah pozovi {emergency}."
    ),
    "no_counsellor_on_duty": (
        "U ovom trenutku niko ne može da razgovara sa tobom. Pokušaj ponovo za nekoliko minuta. "
        "Ako si u opasnosti, odmah pozovi {emergency}."
    ),
    "leave_message": (
        "Posle zvučnog signala možeš da nam ostaviš poruku. Kada završiš, pritisni tarabu."
    ),
    "message_thanks": "Hvala ti. Neko će poslušati tvoju poruku. Sada možeš da prekineš vezu.",
    "returned": ("Veza sa savetnikom je prekinuta. Nisi ti kriv. Ostani na vezi: prvi si na redu."),
    "hold": "Savetnik se vraća za koji trenutak.",
    "goodbye": "Hvala na pozivu. Možeš ponovo da pozoveš kad god želiš.",
    "whisper": (
        "Čeka poziv za {line}. Da ga preuzmeš, pritisni {digit}. "
        "Kada razgovor završi, pritisni zvezdicu."
    ),
    "taken": "Poziv je već preuzet. Hvala.",
}


def upgrade() -> None:
    prompts = sa.table(
        "prompts",
        sa.column("id", sa.Uuid()),
        sa.column("language", sa.Text()),
        sa.column("key", sa.Text()),
        sa.column("text", sa.Text()),
    )
    op.bulk_insert(
        prompts,
        [
            {"id": uuid4(), "language": language, "key": key, "text": text}
            for language, texts in (("en", ENGLISH), ("sr", SERBIAN))
            for key, text in texts.items()
        ],
    )


def downgrade() -> None:
    op.execute("DELETE FROM prompts WHERE line_id IS NULL AND language IN ('en', 'sr')")
