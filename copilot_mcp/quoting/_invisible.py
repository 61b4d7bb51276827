"""What nobody sees is taken out of text that others wrote. Pure; standard library only.

Removed, because a reader cannot see it and a model or a terminal acts on it:

* format characters: zero-width spaces and joiners, byte order marks, soft hyphens, tag characters, invisible
  operators, annotation anchors, and every bidirectional mark, embedding, override and isolate;
* variation selectors that select nothing, and all but the first of a run (a run of them can carry bytes);
* blank letters (Hangul fillers), the grapheme joiner, invisible Khmer vowels, ignorable unassigned characters;
* control characters and whole terminal sequences (colours, titles, OSC 8 links with the address they hide).

Line ends that only some programs know (vertical tab, form feed, NEL, U+2028, U+2029, a carriage return alone) become
plain ones, so that no line can step out of a quotation. Half of a surrogate pair becomes U+FFFD: it cannot be encoded.

Kept, because it changes what is read: letters of every script and direction, combining marks, ZWJ inside emoji
sequences, ZWJ and ZWNJ after a letter or mark of a script that joins (Arabic, Syriac, the scripts of India, Myanmar,
Khmer, Mongolian), selectors behind emoji, ideographs, mathematical signs and Mongolian letters, the flags of England,
Scotland and Wales, the visible number signs of Arabic, private-use characters (symbol fonts).

Code is treated alike: text hidden in code is an attack of its own (CVE-2021-42574).
"""

import html
import re
import unicodedata

__all__ = ["ENTITY", "is_invisible", "stands_for_invisible", "visible"]

ENTITY = re.compile(r"&(?:\#[0-9]{1,7}|\#[xX][0-9A-Fa-f]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});")
"""A character as HTML and Markdown may write it."""

_LINE_ENDS = re.compile("[\v\f\x85\u2028\u2029]|\r(?!\n)")
# CSI; OSC, DCS, SOS, PM and APC up to their end (on one line, or only the introducer goes); two-character sequences.
_SEQUENCE = re.compile(
    "(?:\x1b\\[|\x9b)[0-?]*[ -/]*[@-~]"
    "|(?:\x1b[\\]PX^_]|[\x9d\x90\x98\x9e\x9f])[^\x07\x1b\x9c\n]{0,4096}(?:\x07|\x1b\\\\|\x9c)"
    "|\x1b[ -/]*[0-~]"
)
_INTRODUCER = re.compile("[\x1b\x90\x98\x9b\x9d-\x9f]")  # of any of these sequences
_ORDINARY = re.compile("[\t\n -~]*")
_ODD = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e"
    "\u2060-\u206f\u3164\ud800-\udfff\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\U0001bca0-\U0001bca3\U0001d173-\U0001d17a"
    "\U000e0000-\U000e0fff]"
)
_FLAG = re.compile("\U0001f3f4(?:\U000e0067\U000e0062(?:\U000e0065\U000e006e\U000e0067|\U000e0073\U000e0063\U000e0074"
                   "|\U000e0077\U000e006c\U000e0073))\U000e007f")  # fmt: skip
_ZWNJ, _ZWJ, _KEYCAP = "\u200c", "\u200d", "\u20e3"
_JOINING = re.compile(
    "[\u0620-\u065f\u066e-\u06d3\u06d5-\u06dc\u06ee-\u06ff\u0710-\u074f\u0750-\u077f\u07ca-\u07f5\u0840-\u085b"
    "\u0860-\u089f\u08a0-\u08ff\u0900-\u0dff\u0f00-\u0fff\u1000-\u109f\u1780-\u17d3\u1807-\u1842\u1843-\u18aa"
    "\u1b00-\u1b4b\ua8e0-\ua8ff\ua980-\ua9df\ufb50-\ufdcf\ufdf0-\ufdfb\ufe70-\ufefc]"
)
_IDEOGRAPH = re.compile("[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U000323af]")
_MONGOLIAN = re.compile("[\u1800-\u1842\u1843-\u18aa]")
_JAMO = re.compile("[\u1100-\u11ff\ua960-\ua97c\ud7b0-\ud7fb]")


def visible(text: str) -> tuple[str, int]:
    """The text without what nobody sees, and how many characters and sequences that were."""
    removed = 0
    if _ORDINARY.fullmatch(text):
        return text, removed
    if _INTRODUCER.search(text):
        text, removed = _SEQUENCE.subn("", text)
    text = _LINE_ENDS.sub("\n", text)
    if not _ODD.search(text):
        return text, removed
    flags = {position for found in _FLAG.finditer(text) for position in range(found.start() + 1, found.end())}
    pieces: list[str] = []
    position = 0
    before = ""  # the last character that was kept
    for odd in _ODD.finditer(text):
        place = odd.start()
        if place > position:
            pieces.append(text[position:place])
            before = text[place - 1]
        position = place + 1
        kept = odd[0]
        if "\ud800" <= kept <= "\udfff":
            kept = "\ufffd"
            removed += 1
        elif kept != "\r" and place not in flags and not _means_something(kept, before, text[position : position + 1]):
            removed += 1
            continue
        pieces.append(kept)
        before = kept
    pieces.append(text[position:])
    return "".join(pieces), removed


def is_invisible(text: str) -> bool:
    """Whether some character of it would not be seen, whatever stands around it."""
    return bool(_ODD.search(text) or _LINE_ENDS.search(text))


def stands_for_invisible(entity: str) -> bool:
    """Whether a renderer would make an invisible character of this entity."""
    return is_invisible(html.unescape(entity))


def _means_something(odd: str, before: str, after: str) -> bool:
    """Whether a character that is invisible by itself changes how its neighbours look."""
    if not before:
        return False
    if odd == _ZWJ:
        return (_is_emoji(before) and _is_emoji(after)) or bool(_JOINING.match(before))
    if odd == _ZWNJ:
        return bool(_JOINING.match(before) and _JOINING.match(after))
    if odd in "\ufe0e\ufe0f":
        return (_is_emoji(before) and before != "\ufe0f") or (before in "0123456789#*" and after == _KEYCAP)
    if "\ufe00" <= odd <= "\ufe02":
        return bool(_IDEOGRAPH.match(before)) or unicodedata.category(before) == "Sm"
    if "\U000e0100" <= odd <= "\U000e011f":  # those in use; 240 of them would be a byte behind every ideograph
        return bool(_IDEOGRAPH.match(before))
    if odd in "\u180b\u180c\u180d\u180e\u180f":
        return bool(_MONGOLIAN.match(before))
    return odd in "\u115f\u1160" and bool(_JAMO.match(before) or _JAMO.match(after))


def _is_emoji(character: str) -> bool:
    """Whether it can be part of an emoji sequence: a symbol, a skin tone, or a selector behind one.

    The five characters named are all emoji of other categories, by the property lists of Unicode 17 (digits, `#` and
    `*` are such only below a keycap). The block of pictographs is taken whole: new ones have no category here yet.
    """
    if not character or character.isascii():
        return False
    return (
        character == "\ufe0f"
        or unicodedata.category(character) in ("So", "Sm")
        or "\U0001f000" <= character <= "\U0001faff"
        or character in "‼⁉\u2139〰〽"
    )
