"""Whether a secret was made at random, as programs make them, or made up by a person. Pure.

What a person makes up mostly goes on from what stands before: a vowel follows a consonant, as in
the words of every language, a key follows its neighbour, a digit the one below it, and what was
typed is typed again. More than half of the characters made at random go on from nothing. So no list
of words is needed, and few passphrases pass: they are for people, who have to keep them in mind. It
is a net and no proof: what is made up of rare words, digits and signs, or was printed as an
example, can look as if it were made at random.
"""

import itertools

SHORTEST = 16
# Fewer letters and digits than this say nothing; what else is in a secret is not looked at.
_FEWEST_SIGNS = 12
# Made of digits and the letters a to f alone: 96 bits, about as many as the shortest others have.
_SHORTEST_HEXADECIMAL = 24
# No more is looked at: what is beyond only makes a secret better.
_READ = 64
# At least this share of the characters goes on from nothing. One in ten thousand secrets of 64
# characters that were made at random has less; one in a thousand of 40 characters in words has
# more.
_LEAST = 0.3
# The same where digits may stand for letters: read so, also random text looks more like words.
_LEAST_SPELT = 0.15

_VOWELS, _CONSONANTS = "aeiou", "bcdfghjklmnprstvz"
# What stands in words without a change from vowel to consonant, most often.
_IN_WORDS = "ch ck nd ng nt rt st th tr sc ss ll sh sp pr br kr sk gr ie ei au eu ou ea oo".split()
# The alphabet, the digits, and rows and columns of keyboards.
_ROWS = (
    "abcdefghijklmnopqrstuvwxyz 01234567890 qwertyuiop qwertzuiop azertyuiop asdfghjkl zxcvbnm "
    "yxcvbnm 1qaz 2wsx 3edc 4rfv 5tgb 6yhn 7ujm 8ik 9ol 0p"
).split()
_SIGNS = "abcdefghijklmnopqrstuvwxyz0123456789"
_HEXADECIMAL = set("0123456789abcdef")
# Digits that stand for letters in words, and those that do not.
_SPELT, _FOR_NO_LETTER = str.maketrans("013457", "oieast"), set("2689")


def _pairs_of(row: str) -> set[str]:
    forwards = {one + next_one for one, next_one in itertools.pairwise(row)}
    return forwards | {pair[::-1] for pair in forwards}


_NEIGHBOURS = {sign * 2 for sign in _SIGNS}.union(*(_pairs_of(row) for row in _ROWS))
_IN_SYLLABLES = {one + other for one in _VOWELS for other in _CONSONANTS}
_IN_SYLLABLES |= {pair[::-1] for pair in _IN_SYLLABLES}
_GO_ON = _NEIGHBOURS.union(_IN_SYLLABLES, _IN_WORDS)


def is_made_at_random(secret: str) -> bool:
    """Return whether a secret is long enough, and like what a program makes at random."""
    # What stands between words is left out: with it a passphrase would look more like chance.
    signs = "".join(one for one in secret[:_READ].lower() if one in _SIGNS)
    if len(secret) < SHORTEST or len(signs) < _FEWEST_SIGNS or signs.isdigit():
        return False
    if set(signs) <= _HEXADECIMAL:
        return len(signs) >= _SHORTEST_HEXADECIMAL and _new_share(signs) >= _LEAST
    if not set(signs) & _FOR_NO_LETTER and _new_share(signs.translate(_SPELT)) < _LEAST_SPELT:
        return False
    return _new_share(signs) >= _LEAST


def _new_share(signs: str) -> float:
    """Return the share of characters that go on from none of the two before, nor repeat a pair."""
    seen: set[str] = set()
    new = 0
    for at, pair in enumerate(map("".join, itertools.pairwise(signs))):
        # Also from the one before the last: `a1b2c3`.
        beside = at > 0 and signs[at - 1] + pair[1] in _NEIGHBOURS
        new += not (beside or pair in seen or pair in _GO_ON)
        seen.add(pair)
    return new / (len(signs) - 1)
