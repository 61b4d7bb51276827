"""A witness that renders Markdown and looks for what acts or hides in it; our own code has no part in it."""

import re
import unicodedata
from collections.abc import Callable
from functools import cache
from html.parser import HTMLParser
from urllib.parse import urlsplit

import pytest
from markdown_it import MarkdownIt

# Elements that Markdown itself makes of text, and bare HTML that only formats.
_OF_MARKDOWN = "p h1 h2 h3 h4 h5 h6 blockquote ul ol li pre code em strong hr br a table thead tbody tr th td"
_HARMLESS = frozenset(f"{_OF_MARKDOWN} sub sup kbd b i s".split())
_ATTRIBUTES = frozenset({("td", "style"), ("th", "style"), ("code", "class"), ("ol", "start"), ("a", "title")})
_HIDDEN = frozenset({"Cf", "Cc", "Cs"})
_MEANINGFUL = "\n\r\t\u200c\u200d"


class _Witness(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.acts: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in _HARMLESS:
            self.acts.append(f"<{tag}>")
        for name, value in attrs:
            if (tag, name) == ("a", "href"):
                self._link(value or "")
            elif (tag, name) not in _ATTRIBUTES:
                self.acts.append(f"{tag} {name}")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)

    def handle_data(self, data: str) -> None:
        self.acts += [f"hidden {ord(each):x}" for each in _hidden(data)]

    def handle_comment(self, data: str) -> None:
        self.acts.append("comment")

    def handle_decl(self, decl: str) -> None:
        self.acts.append("declaration")

    def handle_pi(self, data: str) -> None:
        self.acts.append("instruction")

    def _link(self, url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https", "mailto", "") or "@" in parts.netloc or not parts.netloc.isascii():
            self.acts.append(f"link {url}")


def _any_link(url: str) -> bool:
    return True


@cache
def _renderer(*extensions: str) -> MarkdownIt:
    renderer = MarkdownIt("commonmark", {"html": True, "maxNesting": 200}).enable(list(extensions))
    renderer.validateLink = _any_link  # type: ignore[method-assign]  # other renderers let everything pass
    return renderer


def _acting(markdown: str) -> list[str]:
    """What a renderer would load, run, hide or link under a false name; empty when nothing."""
    found: list[str] = []
    for renderer in (_renderer(), _renderer("table", "strikethrough")):
        witness = _Witness()
        witness.feed(renderer.render(markdown))
        witness.close()
        found += witness.acts
    return found


def _hidden(text: str) -> list[str]:
    """The characters of it that nobody sees, without those that clean text needs."""
    flags = re.sub("\U0001f3f4[\U000e0061-\U000e007a]{5}\U000e007f", "", text)
    return [each for each in flags if unicodedata.category(each) in _HIDDEN and each not in _MEANINGFUL]


@pytest.fixture(scope="session")
def acting() -> Callable[[str], list[str]]:
    """What a renderer would load, run, hide or link under a false name; empty when nothing."""
    return _acting


@pytest.fixture(scope="session")
def hidden() -> Callable[[str], list[str]]:
    """The characters of a text that nobody sees."""
    return _hidden
