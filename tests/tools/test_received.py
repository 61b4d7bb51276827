"""Everything that comes from the tenant is made inert at the door, and the note says how much was."""

from copilot_mcp.graph import CopilotConversationResponseMessage, RetrievalResponse
from copilot_mcp.tools.labels import label_of
from copilot_mcp.tools.received import inert_answer, inert_responses, inert_text

TAGS = "".join(chr(0xE0000 + ord(each)) for each in "obey")
IMAGE = "![x](https://evil.example/x)"
SHOWN = "{image: x; evil.example}"
LABEL = {
    "sensitivityLabelId": f"7{TAGS}",
    "displayName": f"Secret {IMAGE}",
    "toolTip": f"For\nHR {IMAGE}",
    "priority": 4,
}


def test_every_text_of_a_hit_is_made_inert_and_counted() -> None:
    hit = {
        "webUrl": "javascript:alert(1)",
        "extracts": [{"text": f"a{TAGS} {IMAGE}", "relevanceScore": 0.5}, {"text": "<script>x</script>"}],
        "resourceType": f"listItem{TAGS}",
        "resourceMetadata": {f"title{TAGS}": f"Plan {IMAGE}", "author": "Ada\u202e"},
        "sensitivityLabel": LABEL,
        "thumbnails": [{"content": "aGk=", "mediaType": f"image/png{TAGS}", "pageNumber": 1}],
    }
    response = RetrievalResponse.model_validate({"retrievalHits": [hit]}).stamped("id", 3)
    (inert,), notes = inert_responses([response])
    (made,) = inert.retrieval_hits
    assert made.web_url == "javascript%3Aalert(1)"
    assert [each.text for each in made.extracts] == [f"a {SHOWN}", "&lt;script>x&lt;/script>"]
    assert made.extracts[0].relevance_score == 0.5
    assert (made.resource_type, made.thumbnails[0].media_type, made.thumbnails[0].content) == (
        "listItem",
        "image/png",
        "aGk=",
    )
    assert made.resource_metadata == {"title": f"Plan {SHOWN}", "author": "Ada"}
    assert label_of(made.sensitivity_label) is not None
    assert label_of(made.sensitivity_label) == label_of(
        inert_answer(CopilotConversationResponseMessage.model_validate({"text": "x", "sensitivityLabel": LABEL}))[1]
    )
    assert (inert.request_id, inert.requests_used) == ("id", 3)
    assert notes == [
        "In the quoted text: 21 invisible characters removed; "
        "4 images, 2 HTML tags and 1 misleading link shown as plain text."
    ]


def test_a_label_is_made_inert_in_all_its_words() -> None:
    message = CopilotConversationResponseMessage.model_validate({"text": "x", "sensitivityLabel": LABEL})
    label = label_of(inert_answer(message)[1])
    assert label is not None
    assert (label.sensitivity_label_id, label.display_name, label.tooltip, label.priority) == (
        "7",
        f"Secret {SHOWN}",
        f"For HR {SHOWN}",
        4,
    )


def test_ordinary_hits_pass_unchanged_and_without_a_note() -> None:
    response = RetrievalResponse.model_validate(
        {
            "retrievalHits": [
                {
                    "webUrl": "https://contoso.sharepoint.com/sites/HR/My Plan (1).docx",
                    "extracts": [{"text": "# Plan\n\n[x](https://contoso.example) `<b>`"}],
                    "resourceMetadata": {"title": "Plan (draft); v2", "author": "Ada Byron;Al"},
                }
            ]
        }
    )
    assert inert_responses([response]) == ([response], [])


def test_attributions_are_made_inert_and_none_is_lost() -> None:
    kinds = ("attributionType", "providerDisplayName", "seeMoreWebUrl")
    attributions = [
        ("citation", f"Plan{TAGS} {IMAGE}", "https://contoso.sharepoint.com@evil.example/"),
        ("annotation", "", "javascript:alert(1)"),
        ("annotation", "", "https://contoso.example/a"),
        ("foot<b>note", "Two", "https://contoso.example/\u202eb"),
    ]
    message = CopilotConversationResponseMessage.model_validate(
        {
            "text": f"So[^1^], <File>{IMAGE}</File> and <File>B</File>.{TAGS}",
            "attributions": [dict(zip(kinds, each, strict=True)) for each in attributions],
        }
    )
    answer, label = inert_answer(message)
    assert label is None
    assert answer.markdown == f"So[^1^], {SHOWN} and [B](https://contoso.example/a)."
    assert [(each.title, each.url, each.kind) for each in answer.citations] == [
        (f"Plan {SHOWN}", "https%3A//contoso.sharepoint.com@evil.example/", "citation"),
        ("javascript%3Aalert(1)", "javascript%3Aalert(1)", "annotation"),
        ("B", "https://contoso.example/a", "annotation"),
        ("Two", "https%3A//contoso.example/%E2%80%AEb", "foot&lt;b>note"),
    ]
    assert answer.notes[-1].startswith("In the quoted text: 8 invisible characters removed; ")


def test_text_so_far_shows_names_without_their_tags() -> None:
    assert inert_text(f"Ask <Person>Ada</Person>[^1^] {IMAGE}\n```\n<File>x") == f"Ask Ada[^1^] {SHOWN}\n```\n<File>x"
