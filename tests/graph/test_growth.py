"""Snapshots and increments told apart: rewrites are never strung together, increments are not lost."""

import random

import pytest

from copilot_mcp.graph.growth import Growth

WORDS = "the budget for Contoso in 2026 is not 5 million but rather more, says Ines (in the Plan) and their view too"


def shown(*texts: str) -> list[str]:
    growth = Growth()
    return [growth.grown(text) for text in texts]


@pytest.mark.parametrize(
    "texts",
    [
        ("Sure, here is", "Based on your mail,", "According to the plan", "According to the plan, the launch"),
        ("Sure", "Looking", "Reading", "The budget", "The budget is", "The budget is 5."),
        ("Let me look. ", "Searching your mail. ", "Reading two files. ", "The launch", "The launch is"),
        ("The launch is on 5 May", "Let me check.", "The launch is on 5 May, says Ines", "tom says 6", "no, 7"),
        ("One", "One two", "One two three", "four", " five"),
        ("I ", "I am ", "I am here ", "you are "),
        tuple(f"Step {number}" for number in range(30)),
        ("Ines keeps", " \n", "Ines keeps the keys", "Tom"),
    ],
)
def test_snapshots_are_shown_as_they_come(texts: tuple[str, ...]) -> None:
    assert shown(*texts) == list(texts)


@pytest.mark.parametrize(
    ("texts", "whole"),
    [
        (("The budget is ", "not 5 million."), "The budget is not 5 million."),
        (("One long beginning. ", "Two. ", "three"), "One long beginning. Two. three"),
        (("Obs", "erv", "atory", " is", " open", " today"), "Observatory is open today"),
        (tuple("今天天气很好我们去看星星"), "今天天气很好我们去看星星"),
        (("Git", "Hub", " keeps", " the", " code"), "GitHub keeps the code"),
        (("The keys ", "are ", "\n\n", "with ", "with ", "Ines", ", ", "who"), "The keys are \n\nwith with Ines, who"),
    ],
)
def test_increments_are_joined(texts: tuple[str, ...], whole: str) -> None:
    assert shown(*texts)[-1] == whole


@pytest.mark.parametrize("leading", [True, False])
def test_increments_word_by_word_lose_no_beginning(leading: bool) -> None:
    for seed in range(200):
        chosen = random.Random(seed).choices(WORDS.split(), k=40)
        pieces = [f" {word}" if leading else f"{word} " for word in ["Well", *chosen]]
        assert shown(*pieces)[-1] == "".join(pieces), seed


def test_rewritten_snapshots_are_never_strung_together() -> None:
    openings = ("Sure, here is", "Based on your mail,", "Let me look. ", "**Launch** ", "1. The ", "- Item ", "The ")
    for seed in range(400):
        pick = random.Random(seed)
        texts = []
        for _ in range(pick.randint(1, 6)):
            texts.append(pick.choice(openings))
            for word in pick.choices(WORDS.split(), k=pick.randint(0, 4)):
                texts.append(f"{texts[-1]}{word} ")
        assert shown(*texts) == texts, seed


CHINESE = "根据您的邮件、发布日期定在五月五日、负责人是李雷。预算为五百万、风险有两个。供应商延迟和审批时间。"


@pytest.mark.parametrize("tail", ["", " ", "▌", "**", "\n```", "…", " [^1^]", "</Event>"])
@pytest.mark.parametrize(
    "whole", [CHINESE * 4, f"iPhone sales are up. {WORDS}. " * 4, "| a | b |\n|:--|--:|\n" + "| c | d |\n" * 20]
)
@pytest.mark.parametrize("step", [1, 3, 25])
def test_snapshots_whose_end_is_not_their_own_are_shown_as_they_come(whole: str, step: int, tail: str) -> None:
    texts = [whole[:end].rstrip() + tail for end in range(step, len(whole), step)]
    made = shown(*texts)
    assert made[-1] == texts[-1]
    if len(tail) < step or len(tail) < 2:  # else the first few are more tail than text
        assert made == texts


@pytest.mark.parametrize("size", [3, 5, 20, 60, 130])
def test_increments_of_any_size_are_whole(size: int) -> None:
    for seed in range(100):
        pick = random.Random(seed)
        text = " ".join(
            pick.choice([word, word.capitalize(), f"{word},", f"{word}.\n\n#"]) for word in WORDS.split() * 10
        )
        text = text[pick.randint(0, 200) :]
        assert shown(*(text[start : start + size] for start in range(0, len(text), size)))[-1] == text, seed


def test_increments_give_way_to_a_snapshot_of_all() -> None:
    assert shown("Ines keeps all ", "the keys", "Ines keeps all the keys. So.", "Tom")[1:] == [
        "Ines keeps all the keys",
        "Ines keeps all the keys. So.",
        "Tom",
    ]


def test_increments_give_way_to_snapshots_that_grow_twice() -> None:
    texts = ("Let me look ", "iPhone sales are", "iPhone sales are up", "iPhone sales are up again")
    assert shown(*texts)[-1] == texts[-1]


def test_long_answers_in_increments_take_work_in_proportion() -> None:
    growth = Growth()
    pieces = ["Begin with this ", *["and on "] * 100_000]
    copied, shown_last = 0, ""
    for piece in pieces:
        text = growth.grown(piece)
        copied += 0 if text is shown_last else len(text)
        shown_last = text
    assert growth.joined == "".join(pieces)
    assert copied < 100 * len("".join(pieces))
