"""The shared vectors: tree, canonical text and codes of every text, and the items each evaluation case selects."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from copilot_mcp.kql import Item, Properties, matches, parse
from copilot_mcp.kql.tree_json import to_json

PropertiesOf = Callable[[dict[str, Any]], Properties]


def test_every_parse_vector_agrees(vectors: dict[str, Any], properties_of: PropertiesOf) -> None:
    disagreeing = []
    for vector in vectors["vectors"]:
        context = vector.get("context", {})
        parsed = parse(vector["input"], properties_of(context), allow_free_text=context.get("allowFreeText", False))
        codes = {severity: set[str]() for severity in ("error", "warning", "information")}
        for one in parsed.diagnostics:
            codes[one.severity].add(one.code)
        if vector["valid"]:
            found = (parsed.tree and to_json(parsed.tree), parsed.canonical, sorted(codes["warning"]))
            agrees = parsed.valid and found == (vector["ast"], vector["canonical"], vector["diagnostics"])
        else:
            agrees = not parsed.valid and parsed.canonical is None and set(vector["diagnostics"]) <= codes["error"]
        if not agrees:
            disagreeing.append((vector["id"], vector["input"][:90], parsed.canonical, codes, vector["diagnostics"]))
    assert disagreeing == []


def test_every_suggestion_parses_without_error(vectors: dict[str, Any], properties_of: PropertiesOf) -> None:
    broken = []
    for vector in vectors["vectors"]:
        context = vector.get("context", {})
        properties, free = properties_of(context), context.get("allowFreeText", False)
        for one in parse(vector["input"], properties, allow_free_text=free).diagnostics:
            if one.suggestion is not None and not parse(one.suggestion, properties, allow_free_text=free).valid:
                broken.append((vector["id"], one.code, one.suggestion))
    assert broken == []


def test_every_evaluation_case_selects_its_items(vectors: dict[str, Any], properties_of: PropertiesOf) -> None:
    evaluation = vectors["evaluation"]
    now = datetime.fromisoformat(evaluation["now"])
    corpora = {name: {row["id"]: _item(row) for row in rows} for name, rows in evaluation["corpora"].items()}
    disagreeing = []
    for case in evaluation["cases"]:
        properties = properties_of(case.get("context", {}))
        tree = parse(case["input"], properties).tree
        assert tree is not None, case["input"]
        items = corpora[case["corpus"]].items()
        selected = [name for name, item in items if matches(tree, item, properties, now=now)]
        if selected != case["matches"]:
            disagreeing.append((case["input"], selected, case["matches"]))
    assert disagreeing == []


def _item(row: dict[str, Any]) -> Item:
    values = {name: value if isinstance(value, list) else [value] for name, value in row.items() if name != "id"}
    return Item({name: tuple(_as_text(one) for one in many) for name, many in values.items()})


def _as_text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
