"""A text as a Markdown quotation, which nothing in it can leave."""

__all__ = ["quoted"]


def quoted(text: str, indent: str = "") -> str:
    """The text as a Markdown quotation: every line marked, so that none can step out.

    Link definitions are shown as text: they would hold outside the quotation too, and make links of words of ours.
    """
    lines = _without_definitions(text).split("\n")
    return "\n".join(f"{indent}> {line}" if line.strip() else f"{indent}> {line}".rstrip() for line in lines)


def _without_definitions(text: str) -> str:
    if "]:" not in text:
        return text
    from copilot_mcp.quoting._blocks import blocks_of

    blocks = blocks_of(text)
    return "\n".join(each.text.replace("]:", "]\\:") if each.kind == "other" else each.text for each in blocks)
