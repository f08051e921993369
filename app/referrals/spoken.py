"""Spoken and written texts for the people of an agency, without any personal data. Pure."""

from typing import Any

_SPOKEN = {
    "en": {
        "call": "This is the child helpline. We have an urgent referral for {agency}, "
        "reference {code}. "
        "Press 1 to take it. Press 2 if you want us to call you back. "
        "Press 3 if this is a wrong number.",
        "call_siblings": "This is the child helpline. We have an urgent referral for {agency} "
        "about {count} children, brothers and sisters, reference {code}. "
        "Press 1 to take it for all of them. Press 2 if you want us to call you back. "
        "Press 3 if this is a wrong number.",
        "confirm": "If you are {agency}, press {digit} to confirm that you take it. "
        "If this is a wrong number, press 3.",
        "taken": "Thank you. We have recorded that you have taken referral {code}. "
        "If we have an address for you, a link to the details is on its way. "
        "You can also ring the helpline.",
        "joined": "Thank you. You are now connected with the counsellor and the caller.",
        "call_back": "Thank you. We have asked a counsellor to call you back.",
        "wrong": "Thank you. We are sorry for the disturbance.",
        "not_needed": "Thank you. This referral has already been taken. You need not do anything.",
        "code_ask": "This is the child helpline with the code that you asked for. "
        "Press 1 to hear it.",
        "code": "Your code is {digits}. Again: {digits}.",
        "bye": "Goodbye.",
    },
    "sr": {
        "call": "Ovde dečja linija za pomoć. Imamo hitan uput za ustanovu {agency}, oznaka {code}. "
        "Pritisnite 1 da ga preuzmete. Pritisnite 2 ako želite da vas pozovemo. "
        "Pritisnite 3 ako ste pogrešan broj.",
        "call_siblings": "Ovde dečja linija za pomoć. Imamo hitan uput za ustanovu {agency}, za "
        "braću i sestre, broj dece: {count}, oznaka {code}. Pritisnite 1 da ga preuzmete za sve. "
        "Pritisnite 2 ako želite da vas pozovemo. Pritisnite 3 ako ste pogrešan broj.",
        "confirm": "Ako ste {agency}, pritisnite {digit} da potvrdite da ga preuzimate. "
        "Ako ste pogrešan broj, pritisnite 3.",
        "taken": "Hvala. Zabeleženo je da ste preuzeli uput {code}. "
        "Link ka podacima stiže na adresu koju imamo; možete i da pozovete liniju.",
        "joined": "Hvala. Sada ste u vezi sa savetnikom i pozivaocem.",
        "call_back": "Hvala. Zamolili smo savetnika da vas pozove.",
        "wrong": "Hvala. Izvinite na smetnji.",
        "not_needed": "Hvala. Ovaj uput je već preuzet. Ništa više nije potrebno.",
        "code_ask": "Ovde dečja linija sa šifrom koju ste tražili. Pritisnite 1 da je čujete.",
        "code": "Vaša šifra je {digits}. Ponavljam: {digits}.",
        "bye": "Prijatno.",
    },
}

_WRITTEN = {
    "en": {
        "subject": "Referral {code}: please reply",
        "escalation": "Urgency: {urgency}. Please open the link and acknowledge the referral. "
        "You need no account. The link works for one step:\n{link}",
        "link": "Your link for the next step of referral {code}. It works once:\n{link}",
        "other_code": "Code for the link that you received by {other}: {number}",
        "code": "The code that you asked for: {number}",
        "withdrawn": "The consent to this referral was withdrawn. Please take no further steps "
        "that rest on it, and do not pass on what you were told.",
        "recalled": "This referral was taken back. Nothing more has to be done.",
        "answer": "There is an answer to your question. Open the link to read it:\n{link}",
        "update": "There is new information on referral {code}. Open the link to read it:\n{link}",
        "phone": "Child helpline: {phone}",
        "sms": "SMS",
        "email": "e-mail",
    },
    "sr": {
        "subject": "Uput {code}: molimo za odgovor",
        "escalation": "Hitnost: {urgency}. Otvorite link i potvrdite prijem; nalog nije potreban, "
        "a link važi za jedan korak:\n{link}",
        "link": "Link za sledeći korak uputa {code}; važi jednom:\n{link}",
        "other_code": "Šifra za link koji ste dobili preko {other}: {number}",
        "code": "Šifra koju ste tražili: {number}",
        "withdrawn": "Saglasnost za ovaj uput je povučena. Molimo da ne preduzimate dalje korake "
        "na osnovu njega i da ne prenosite ono što ste saznali.",
        "recalled": "Ovaj uput je povučen. Ništa više nije potrebno.",
        "answer": "Stigao je odgovor na vaše pitanje. Otvorite link:\n{link}",
        "update": "Uput {code} je dopunjen. Otvorite link:\n{link}",
        "phone": "Dečja linija: {phone}",
        "sms": "SMS-a",
        "email": "imejla",
    },
}
_URGENCY = {
    "en": {
        "immediate": "immediate",
        "urgent": "urgent",
        "priority": "priority",
        "routine": "routine",
    },
    "sr": {
        "immediate": "odmah",
        "urgent": "hitno",
        "priority": "prioritetno",
        "routine": "redovno",
    },
}
_HOUSE = {
    "breach": "A deadline has passed",
    "override": "A referral was made without consent: please review it",
    "call_back": "An agency wants a call-back",
    "question": "An agency has a question",
    "rejected": "An agency has rejected a referral",
    "nobody_left": "No agency is left to ask in this round",
    "wrong_service": "An agency says that it is the wrong service",
    "urgency_lowered": "A referral is no longer immediate: check whether that is right",
    "wrong_number": "A duty phone is a wrong number: correct the directory",
    "undelivered": "A message could not be delivered",
    "completed": "An agency has done its part: check whether it is enough, then close the referral",
    "withdrawn": "Consent to an immediate referral was withdrawn: decide whether there is another "
    "ground to go on",
    "recall_wanted": "An immediate referral is to be recalled: a second person has to confirm it",
    "ring_them": "An agency may not know the latest: ring and tell them",
    "unmapped": "A referral could not be mapped for another system",
    "danger_unanswered": "The danger key was pressed and no counsellor could take the call",
    "escalated": "A referral was escalated to our own people on call",
}


_SERVICES = {
    "sr": {
        "child_protection": "zaštita deteta",
        "police": "policija",
        "shelter": "prihvatilište",
        "emergency_medical": "hitna pomoć",
        "health": "zdravstvena zaštita",
        "mental_health": "mentalno zdravlje",
        "education": "obrazovanje",
        "justice": "pravosuđe",
        "mobile_outreach": "mobilni tim",
        "legal_aid": "pravna pomoć",
        "family_support": "podrška porodici",
        "missing_child": "nestalo dete",
        "disability_support": "podrška zbog smetnji u razvoju",
        "helpline_abroad": "linija u inostranstvu",
    }
}
_GROUNDS = {
    "sr": {
        "vital_interests": "vitalni interes deteta",
        "legal_obligation": "zakonska obaveza",
        "best_interests": "najbolji interes deteta",
        "consent": "saglasnost",
    }
}


def language_for(languages: list[str]) -> str:
    """Return the first of an agency's languages that has texts here, else English."""
    return next((one for one in languages if one in _SPOKEN), "en")


def service_words(language: str, service: str) -> str:
    return _SERVICES.get(language, {}).get(service, service.replace("_", " "))


def urgency_words(language: str, urgency: str) -> str:
    return _URGENCY[known(language)][urgency]


def ground_words(language: str, ground: str) -> str:
    return _GROUNDS.get(language, {}).get(ground, ground.replace("_", " "))


def known(language: str) -> str:
    """Return the language if it has texts here, else English."""
    return language if language in _SPOKEN else "en"


def spell(code: str) -> str:
    """Return a code as it is read aloud, letter by letter: R-7F3 becomes "R 7 F 3"."""
    return " ".join(code.replace("-", ""))


def speak(language: str, key: str, **values: str) -> str:
    """Return a sentence for the telephone."""
    return _SPOKEN[known(language)][key].format(**values)


def write(
    language: str,
    purpose: str,
    *,
    code: str,
    urgency: str,
    link: str,
    way: str,
    payload: dict[str, Any],
    phone: str,
) -> tuple[str, str]:
    """Return subject and body of a message."""
    words = _WRITTEN[known(language)]
    subject = words["subject"].format(code=code)
    lines = [f"{code}."]
    if purpose == "code":
        lines.append(words["code"].format(number=payload.get("code", "")))
    else:
        said = words[purpose]
        urgent = _URGENCY[known(language)][urgency]
        lines.append(said.format(code=code, urgency=urgent, link=link))
        if payload.get("code"):
            other = words["email" if way == "sms" else "sms"]
            lines.append(words["other_code"].format(other=other, number=payload["code"]))
    if phone:
        lines.append(words["phone"].format(phone=phone))
    return subject, "\n\n".join(lines) if way == "email" else "\n".join(lines)


def house_words(kind: str) -> str:
    """Return what a notice is about, for our own people."""
    return _HOUSE.get(kind, kind)
