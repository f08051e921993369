"""What the children of the demo say on the phone. Every one of them is invented.

A child says the next line when spoken to; see `app/practice/voices.py`.
"""

# By language, one list per child.
SAID: dict[str, list[list[str]]] = {
    "sr": [
        [
            "Halo? Da li me neko čuje?",
            "Ja sam Mina. Imam dvanaest godina.",
            "Kod kuće se stalno svađaju. Ne mogu da spavam.",
            "Mama plače, a ja ne znam šta da radim.",
            "Nisam nikome rekla. Vi ste prvi.",
            "Mogu da pričam sa razrednom. Ona je dobra.",
            "Hvala vam. Sada mi je malo lakše.",
        ],
        [
            "Dobar dan.",
            "Zovem zbog drugara. U školi ga tuku svaki dan.",
            "Četvorica iz osmog razreda. Uzimaju mu novac.",
            "On neće da kaže nastavniku. Boji se.",
            "I ja se bojim, ako saznaju da sam zvao.",
            "Važi. Pitaću ga da odemo zajedno kod pedagoga.",
            "Hvala. Doviđenja.",
        ],
        [
            "Zdravo.",
            "Ne znam kako da počnem.",
            "Dečko sa interneta traži moje slike.",
            "Jednu sam poslala, a sada preti da će je svima pokazati.",
            "Imam četrnaest godina. Roditelji ne znaju.",
            "Da, sačuvala sam sve poruke.",
            "Dobro. Ostaću na vezi.",
        ],
    ],
    "en": [
        [
            "Hello? Is anybody there?",
            "My name is Leo. I am ten.",
            "I do not want to go to school any more.",
            "They say that I am strange, and nobody sits with me.",
            "I told my dad, but he says that it will pass.",
            "I would like to talk to my aunt. She listens.",
            "Thank you. Goodbye.",
        ],
    ],
}
