"""Several passages in one text: each alone is inert, and so are they together."""

from collections.abc import Callable

import pytest

from copilot_mcp.tools.findings import RetrieveResult
from copilot_mcp.tools.hits import Extract, Hit
from copilot_mcp.tools.hits_text import render


@pytest.mark.parametrize(
    "halves",
    [
        ("The price is in ` today", "`![x](https://evil.test/a.png)` and more"),
        ("The price is in ` today", "`<img src=https://evil.test/a.png>` and more"),
        ("The price is in ` today", "`[https://contoso.test](https://evil.test/a)` and more"),
        ("see [x", "y](https://evil.test/a)"),
        ("see ![x", "y](https://evil.test/a.png)"),
    ],
)
def test_what_opens_in_one_passage_cannot_close_in_the_next(
    acting: Callable[[str], list[str]], halves: tuple[str, str]
) -> None:
    passages = [Extract(id=f"p{number}", text=text) for number, text in enumerate(halves)]
    hits = [Hit(id=f"d{number}", web_url="https://x.test/1", title="One", extracts=passages) for number in (1, 2)]
    text = render(RetrieveResult(hits=hits, requests_used=1, notes=[]))
    assert [half for half in halves if f"> {half}\n" not in text + "\n"] == []
    assert "evil.test" in text
    assert [each for each in acting(text) if not each.startswith("link https://x.test")] == []
