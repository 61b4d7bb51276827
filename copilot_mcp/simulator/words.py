"""The words of a question: which of them carry meaning, and their stems.

The stems only compare sentences when an answer is worded; ranking uses SQLite's own Porter stemmer.
"""

import re
import unicodedata

__all__ = ["query_terms", "stems", "words_of"]

MAX_TERMS = 24

_WORD = re.compile(r"[^\W_]+", re.UNICODE)
_STOP_WORDS = """
a about above actually after again all also am an and answer any anyone anything are as ask at be because been
before being below between both but by can concerning could currently describe details did do does doing down during
each either else ever every exactly explain few find for from further get give go had has have having he hello her
here hers hi him his how i if in info information into is it its itself just know let like list many may me might
more most much must my need no nor not now of off on once one only or other our ours out over own people per please
question regarding same say says shall she should show so some such summarise summarize tell than thanks that the
their theirs them then there these they thing this those through to too under until up upon us use using very via
want was we were what when where whether which while who whom whose why will with within without would you your
yours
"""
_STOP = frozenset(_STOP_WORDS.split())
_ENDINGS = (
    ("ies", "y"),
    ("sses", "ss"),
    ("ing", ""),
    ("edly", ""),
    ("ed", ""),
    ("ment", ""),
    ("ly", ""),
    ("al", ""),
    ("es", ""),
    ("s", ""),
    ("e", ""),
)


def words_of(text: str) -> list[str]:
    """Every word in lower case without diacritics, in order."""
    folded = unicodedata.normalize("NFKD", text)
    return _WORD.findall("".join(each for each in folded if not unicodedata.combining(each)).casefold())


def query_terms(text: str) -> list[str]:
    """The distinct words of a question that carry meaning, in order, at most 24.

    If every word is a stop word, all of them count: better a poor search than none.
    """
    words = list(dict.fromkeys(words_of(text)))
    return ([word for word in words if word not in _STOP] or words)[:MAX_TERMS]


def stems(text: str) -> frozenset[str]:
    """The stems of the words that carry meaning."""
    return frozenset(_stem(word) for word in words_of(text) if word not in _STOP)


def _stem(word: str) -> str:
    for ending, instead in _ENDINGS:
        if word.endswith(ending) and len(word) - len(ending) >= 3 and not word.endswith("ss"):
            stem = word[: len(word) - len(ending)] + instead
            # "planning" and "plan" meet: a doubled last consonant is one
            return stem[:-1] if len(stem) > 3 and stem[-1] == stem[-2] and stem[-1] not in "aeiouls" else stem
    return word
