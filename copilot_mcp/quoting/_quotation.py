"""A text as a Markdown quotation or as code, which nothing in it can leave."""

import re

__all__ = ["code_fence", "code_span", "quoted"]


def quoted(text: str, indent: str = "") -> str:
    """The text as a Markdown quotation: every line marked, so that none can step out.

    Link definitions are shown as text: they would hold outside the quotation too, and make links of words of ours.
    """
    lines = _without_definitions(text).split("\n")
    bare = f"{indent}>"
    return "\n".join([f"{bare} {line}" if line and not line.isspace() else bare for line in lines])


def code_fence(text: str, least: int = 3) -> str:
    """Backticks that nothing inside `text` can end, `least` or more."""
    return "`" * max(least, 1 + max(map(len, re.findall("`+", text)), default=0))


def code_span(text: str) -> str:
    """A code span around `text`, which is not empty."""
    fence = code_fence(text, 1)
    blank = " " if "`" in (text[0], text[-1]) else ""
    return f"{fence}{blank}{text}{blank}{fence}"


def _without_definitions(text: str) -> str:
    if "]:" not in text:
        return text
    from copilot_mcp.quoting._blocks import blocks_of

    blocks = blocks_of(text)
    return "\n".join(each.text.replace("]:", "]\\:") if each.kind == "other" else each.text for each in blocks)
