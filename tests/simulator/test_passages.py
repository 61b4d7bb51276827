"""Documents are cut where a reader would cut them."""

from copilot_mcp.simulator.passages import MAX_CHARACTERS, MAX_PASSAGES, Passage, split_passages


def test_sections_become_passages_under_their_heading_path() -> None:
    first, second = "First. " * 40, "Second. " * 40
    body = f"# Guide\n\n## One\n\n{first}\n\n### Deep\n\n{second}\n"

    assert split_passages(body) == [
        Passage(0, "Guide > One", first.rstrip()),
        Passage(1, "Guide > One > Deep", second.rstrip()),
    ]


def test_a_short_section_goes_on_with_the_next() -> None:
    passages = split_passages("# A\n\nShort.\n\n# B\n\nAlso short.\n")

    assert passages == [Passage(0, "A", "Short.\n\nB\n\nAlso short.")]


def test_paragraphs_are_joined_up_to_the_target() -> None:
    body = "\n\n".join(["word " * 40] * 6)

    assert [len(each.text) for each in split_passages(body)] == [400, 400, 400]


def test_long_prose_is_cut_at_sentence_ends() -> None:
    passages = split_passages("A sentence of some length here. " * 90)

    assert all(len(each.text) <= MAX_CHARACTERS for each in passages)
    assert all(each.text.endswith(".") for each in passages)


def test_table_rows_and_short_code_blocks_stay_whole() -> None:
    table = "\n".join(f"| row {number} | {'x' * 60} |" for number in range(40))
    code = "```json\n{\n\n  # not a heading\n}\n```"

    passages = split_passages(f"{table}\n\n{code}\n")

    rows = [line for each in passages for line in each.text.split("\n") if line.startswith("|")]
    assert rows == table.split("\n")
    assert any(code in each.text for each in passages)


def test_text_without_any_break_is_cut_somewhere() -> None:
    assert [len(each.text) for each in split_passages("x" * 4_000)] == [1_800, 1_800, 400]


def test_an_open_code_fence_ends_with_the_document() -> None:
    assert split_passages("~~~\ncode\n\nmore")[0].text == "~~~\ncode\n\nmore"


def test_empty_text_has_no_passages_and_a_huge_one_a_limit() -> None:
    assert split_passages("\n \n# Only a heading\n") == []
    assert len(split_passages("\n\n".join(["y" * 900] * (MAX_PASSAGES + 5)))) == MAX_PASSAGES
