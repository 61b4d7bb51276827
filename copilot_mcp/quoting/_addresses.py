"""Addresses that others wrote: shown as what they are, and never more than that. Nothing here opens one.

An address stays as it is when it is http or https with a plain host. Otherwise

* letters that look like Latin ones in a host (Cyrillic, Greek, full width, ...) are shown as the host that would
  really be asked (`xn--...`);
* other schemes (`javascript:`, `data:`, `file:`, `ms-word:`), addresses with a user name before the host, and those
  with characters that nobody sees, percent-encoded or not, are written so that no program takes them for a link:
  their first colon becomes `%3A`;
* what would end the brackets around an address or begin a link inside it, and what cannot be seen, is
  percent-encoded, which leads to the same place. Blanks stay: SharePoint sends them.
"""

import html
import re
import unicodedata
from urllib.parse import unquote, urlsplit

from copilot_mcp.quoting._invisible import ENTITY, is_invisible, stands_for_invisible, visible

__all__ = ["host_of", "is_deceptive", "leads_astray", "neutral_address", "with_plain_hosts"]

_SCHEME = re.compile(r"\s*([A-Za-z][A-Za-z0-9+.\-]*):")
# Visible ASCII behind a plain host, no escape but a blank's: nothing of what is looked for below can be in it.
_ORDINARY = re.compile(r"https?://[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?(?:/(?:%20|[ !#-$'-;=?-Z^_a-z{|}~])*)?")
_UNSAFE = re.compile(r"[<>\[\]\\\"`\x00-\x1f\x7f-\x9f]")
_HOST_IN_TEXT = re.compile(r"(?i:\bhttps?)://(?P<host>[^\s/?#\\<>()\[\]{}\"'`|]{1,255})")
_LOOKALIKES = (
    "CYRILLIC", "GREEK", "ARMENIAN", "CHEROKEE", "COPTIC", "LATIN", "FULLWIDTH", "MATHEMATICAL", "LISU", "ROMAN",
    "SMALL ROMAN", "MODIFIER", "SCRIPT", "DOUBLE-STRUCK", "GEORGIAN", "DESERET", "COMBINING", "FULL STOP", "DIVISION",
    "FRACTION", "HALFWIDTH IDEOGRAPHIC", "ONE DOT",
)  # fmt: skip
_NAMES_HOST = re.compile(r"(?:https?:)?//([^\s/?#\\]+)|\b(www\.[^\s/?#\\]+)", re.IGNORECASE)
# A file's name looks like a host too, so only plain lower-case names below well-known domains count.
_BARE_HOST = re.compile(
    r"((?:[a-z0-9-]+\.)+(?:com|org|net|edu|gov|mil|int|info|biz|us|uk|de|fr|eu|example|test))(?:/\S*)?"
)


def neutral_address(url: str) -> tuple[str, bool]:
    """The address in a form that is safe to show in angle brackets and as data, and whether it had to be changed."""
    plain = url.strip()
    if _ORDINARY.fullmatch(plain):
        return plain, False
    if not (plain.isascii() and plain.isprintable()):  # most are, and looking at each character takes its time
        plain = "".join(_encoded_if_invisible(character) for character in plain)
    plain = _UNSAFE.sub(_encoded, plain)
    plain = ENTITY.sub(lambda found: found[0].replace("&", "%26" if stands_for_invisible(found[0]) else "&"), plain)
    plain = with_plain_hosts(plain)[0]
    if plain.startswith("//"):
        plain = f"%2F{plain[1:]}"
    elif _SCHEME.match(plain) and leads_astray(plain):
        plain = plain.replace(":", "%3A", 1)
    return plain, plain != url.strip()


def leads_astray(target: str) -> bool:
    """Whether a link must not be made of it: another scheme than http, https or mailto, or a host that hides another.

    Understands what a Markdown renderer and a browser would: entities, escapes, blanks inside the scheme.
    """
    read = re.sub(r"[\x00-\x20\x7f-\x9f]", "", html.unescape(re.sub(r"\\([!-/:-@\[-`{-~])", r"\1", target)))
    decoded = unquote(read, errors="ignore")
    if visible(decoded)[1] or re.search(r"[\x00-\x1f\u2028\u2029]", decoded):  # renderers show addresses decoded
        return True
    if not read or read[0] == "#":
        return False
    scheme = _SCHEME.match(read)
    if not scheme:  # relative, unless it names a host after all
        return read.startswith(("//", "\\", "/\\"))
    if scheme[1].casefold() == "mailto":
        return False
    if scheme[1].casefold() not in ("http", "https"):
        return True
    return _hides_its_host(read)


def _hides_its_host(url: str) -> bool:
    """A user name, a missing double slash, backslashes, or a host that is not what it looks like."""
    if not re.match(r"(?i)https?://[^/\\?#]", url):
        return True
    authority = re.split(r"[/?#]", url.partition("//")[2], maxsplit=1)[0]
    if re.search(r"[@\\%]", authority):
        return True
    try:
        parts = urlsplit(url)
        return not parts.hostname or parts.port == 0 or _has_lookalikes(parts.hostname)
    except ValueError:
        return True


def is_deceptive(label: str, target: str) -> bool:
    """Whether the words of a link name another host than the one it leads to."""
    host = host_of(html.unescape(target))
    named = {host_of(f"https://{found[1] or found[2]}") for found in _NAMES_HOST.finditer(html.unescape(label))}
    bare = _BARE_HOST.fullmatch(label.strip())
    if bare:
        named.add(bare[1])
    return any(not _related(each, host) for each in named)


def _related(one: str, other: str) -> bool:
    one, other = one.removeprefix("www."), other.removeprefix("www.")
    return one == other or one.endswith(f".{other}") or other.endswith(f".{one}")


def host_of(url: str) -> str:
    """The host of an address, empty where it has none."""
    try:
        return (urlsplit(url).hostname or "").rstrip(".")
    except ValueError:
        return ""


def with_plain_hosts(text: str) -> tuple[str, int]:
    """The text with every look-alike host of an address in it written in ASCII, and how many there were."""
    if text.isascii():
        return text, 0
    count = 0

    def plain(found: re.Match[str]) -> str:
        nonlocal count
        host = found["host"]
        end = next((i for i, each in enumerate(host) if not each.isascii() and not _is_lookalike(each)), len(host))
        if host[:end].isascii():
            return found[0]
        count += 1
        return found[0][: -len(host)] + _ascii_host(host[:end]) + host[end:]

    return _HOST_IN_TEXT.sub(plain, text), count


def _ascii_host(host: str) -> str:
    """The host as it is really asked for; percent-encoded where no such host can exist."""
    try:
        return host.encode("idna").decode("ascii")
    except UnicodeError:
        return "".join(each if each.isascii() else _encoded(each) for each in host)


def _has_lookalikes(host: str) -> bool:
    return any(_is_lookalike(each) for each in host)


def _is_lookalike(character: str) -> bool:
    return not character.isascii() and unicodedata.name(character, "").startswith(_LOOKALIKES)


def _encoded_if_invisible(character: str) -> str:
    return _encoded(character) if is_invisible(character) else character


def _encoded(found: "re.Match[str] | str") -> str:
    character = found if isinstance(found, str) else found[0]
    return "".join(f"%{byte:02X}" for byte in character.encode("utf-8", "replace"))
