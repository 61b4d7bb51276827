"""First pass: quotes, look-alikes and odd characters, with nothing but a quote flag.

An error here ends the reading, because everything after a misplaced quote would be noise. The second half makes
candidates for a repaired text; the parser offers the first that can be read.
"""

import re
from collections.abc import Iterator

from . import _words as words
from .diagnostics import Notes

_GLUED = re.compile(r"[+\-!&|]*(?:[^\W\d][\w.\-]*)?[:=<>!~]+|[+\-!&|]*")


# Everything outside quotes that is worth a look; most filters have nothing of it but the quotes.
_ODD = re.compile(
    rf'["`{words.CONTROL_CLASS}{"".join(words.INVISIBLE)}{"".join(words.SMART_QUOTES)}{"".join(words.DASHES)}'
    rf"{''.join(words.LOOKALIKES)}]|[^\S{words.PLAIN_SPACE}]"
)
_WORD = re.compile(rf"[^\s(){''.join(words.INVISIBLE)}]+")
_CONTROLS = re.compile(f"[{words.CONTROL_CLASS}]")
_QUOTE_OR_CONTROL = re.compile(f'["{words.CONTROL_CLASS}]')


def scan(text: str, notes: Notes) -> None:
    """Note every character level finding of `text`."""
    position = unquoted = 0
    while found := _ODD.search(text, position):
        place = found.start()
        if text[place] == '"':
            position = unquoted = _quote(text, place, _word_start(text, unquoted, place), notes)
        else:
            _character(text, place, _word_start(text, max(unquoted, place - 1), place), notes)
            position = place + 1


def _word_start(text: str, first: int, place: int) -> int:
    """Where the word that reaches up to `place` begins, looked for no further back than `first`."""
    word = _WORD.match(text[first:place][::-1])
    return place - (word.end() if word else 0)


def _character(text: str, position: int, word_start: int, notes: Notes) -> None:
    character, span = text[position], (position, position + 1)
    if words.holds_control(character):
        notes.add("CONTROL_CHARACTER", span, f"{_kind(character)} stands in the filter; remove it.")
    elif words.is_unusual_space(character):
        notes.add("UNUSUAL_WHITESPACE", span, "An unusual space or invisible mark is read as a space.")
    elif character in words.SMART_QUOTES:
        notes.add("SMART_QUOTES", span, 'Typographic quotes do not quote; use ".')
    elif character == "`":
        notes.add("BACKTICK", span, "A back-tick is no part of the language; remove it.")
    elif character in words.LOOKALIKES:
        ascii_form = words.LOOKALIKES[character]
        notes.add("UNICODE_LOOKALIKE", span, f"{character} only looks like {ascii_form}; use {ascii_form}.")
    elif character in words.DASHES and position == word_start:
        notes.add("UNICODE_LOOKALIKE", span, f"{character} is a dash; write NOT instead.")


def _kind(control: str) -> str:
    return "Half of a character" if control > words.LAST_CONTROL else "A control character"


def _quote(text: str, start: int, word_start: int, notes: Notes) -> int:
    """Handle the double quote at `start`; return the position after the quoted string."""
    before = text[word_start:start]
    if before.endswith("\\"):
        notes.add("JSON_ESCAPED_QUOTES", (start - 1, start + 1), 'The text is still JSON-escaped: write " without \\.')
        return start + 1
    if not _GLUED.fullmatch(before):
        notes.add("STRAY_QUOTE", (start, start + 1), "A double quote opens inside a word; quote the whole value.")
    end, escaped = _closing(text, start, notes)
    if end == len(text):
        if not escaped:
            notes.add("UNBALANCED_QUOTE", (start, start + 1), "A double quote is never closed.")
        return end
    after = text[end + 1 : end + 2]
    if after == '"':
        notes.add("ESCAPED_QUOTE", (end, end + 2), "A double quote cannot be written inside a value; drop it.")
    elif after and after not in "()" and not words.is_space(after):
        notes.add(
            "JUNK_AFTER_QUOTE", (end, end + 2), "Text touches a closing quote; a space or a parenthesis must follow."
        )
    return end + 1


def _closing(text: str, start: int, notes: Notes) -> tuple[int, bool]:
    """Position of the closing quote, or the end of the text; and whether an escaped quote was met on the way."""
    escaped = False
    for found in _QUOTE_OR_CONTROL.finditer(text, start + 1):
        position = found.start()
        if text[position] != '"':
            said = f"{_kind(text[position])} stands in a value; remove it."
            notes.add("CONTROL_CHARACTER", (position, position + 1), said)
        elif text[position - 1] != "\\":
            return position, escaped
        else:
            escaped = True
            notes.add(
                "ESCAPED_QUOTE",
                (position - 1, position + 1),
                "A double quote cannot be escaped, and a quoted value cannot end in a backslash; drop it.",
            )
    return len(text), escaped


_FENCE = re.compile(r"```\w*")
_STAR_AFTER = re.compile(r'"([^"]*)"\*')
# White space is bounded and words are anchored, so that every pattern stays linear.
_QUOTED_LIST = re.compile(
    r'([:=>])\s{0,8}(?P<open>\(\s{0,8})?("[^"]*"(?:\s{0,8}[,;]\s{0,8}"[^"]*")+)(?(open)\s{0,8}\))'
)
_BRACKETS = re.compile(r'([:=])\s{0,8}\[((?:[\s,;]|"[^"]*")*)\]')
_IN_BRACKETS = re.compile(r'\bin\s{0,8}\[((?:[\s,;]|"[^"]*")*)\]', re.IGNORECASE)
_JSON_NAME = re.compile(r'[{,]?\s{0,8}"([^\W\d]\w*)"\s{0,8}:\s{0,8}(?=["\[])')
_INNER_QUOTES = re.compile(r'([:=])"([^"]*)"([^"\s():=<>][^":=<>]*)"([^"]*)"(?=[\s)]|$)')
_NEXT_CLAUSE = re.compile(r"\s(?:AND|OR|and|or)\s{1,8}(?:NOT\s{1,8})?\(?[^\W\d][\w.\-]*[:=<>]")
_STRAY = re.compile(r'(?<![\w.\-])([^\W\d][\w.\-]*[:=]+)(?!-|NOT")([^\s"():=]+)"([^"]*)"([^\s"()]*)')


def candidates(text: str) -> Iterator[str]:
    """Texts that `text` may have meant, with the most literal first."""
    plain = _plain(text)
    yield plain
    named = _JSON_NAME.sub(r" \1:", plain)
    if named != plain:
        named = re.sub(r'(?<=["\]])\s{0,8}\}', "", named)
    listed = _IN_BRACKETS.sub(r"in (\1)", named)
    listed = _BRACKETS.sub(lambda found: f"{found[1]}({_or_list(found[2])})", listed)
    listed = _QUOTED_LIST.sub(lambda found: f"{found[1]}({_or_list(found[3])})", listed)
    yield listed
    spaced = _spaced(_STAR_AFTER.sub(r'"\1*"', listed))
    yield spaced
    if '\\"' in text:
        dropped = text.replace('\\"', "")
        yield dropped + '"' * (dropped.count('"') % 2)
        yield text.replace('\\"', '"')
    if plain.count('""') % 2:
        yield plain.replace('""', '" "')
    if '""' in plain:
        yield re.sub(r'(?<![:=<>])""|(?<=[:=<>])""(?=")|""(?=[^\s)"])', "", plain)
    yield _INNER_QUOTES.sub(r'\1"\2\3\4"', plain)
    yield _STRAY.sub(r'\1"\2\3\4"', spaced)
    if plain.count('"') % 2:
        yield from _closed(plain)


def _plain(text: str) -> str:
    text = _FENCE.sub(" ", text).replace("`", "")
    pieces = [piece if index % 2 else _ascii(piece) for index, piece in enumerate(_keep_quoted(text))]
    return _CONTROLS.sub(" ", "".join(pieces)).strip()


def _keep_quoted(text: str) -> list[str]:
    """The text split so that every second piece is an ASCII quoted string, left as it is."""
    return re.split(r'((?<!\\)"[^"]*")', text)


def _ascii(piece: str) -> str:
    piece = piece.replace('\\"', '"')
    for smart in words.SMART_QUOTES:
        piece = piece.replace(smart, '"')
    for lookalike, plain in words.LOOKALIKES.items():
        piece = piece.replace(lookalike, plain)
    return re.sub(rf"(?:(?<=[\s(])|^)[{''.join(words.DASHES)}](?=\S)", "-", piece)


def _or_list(listed: str) -> str:
    return " OR ".join(re.findall(r'"[^"]*"', listed))


def _spaced(text: str) -> str:
    pieces = re.split(r'("[^"]*")', text)
    for index in range(2, len(pieces), 2):
        if pieces[index] and not pieces[index][0].isspace() and pieces[index][0] not in "()":
            rest = pieces[index].lstrip(",;")
            pieces[index] = f" , {rest}" if rest != pieces[index] else f" {rest}"
    return "".join(pieces)


def _closed(text: str) -> Iterator[str]:
    last = text.rfind('"')
    found = _NEXT_CLAUSE.search(text, last)
    if found:
        yield f'{text[: found.start()]}"{text[found.start() :]}'
    yield f'{text}"'
    yield text[:last] + text[last + 1 :]
