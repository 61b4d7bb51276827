"""Raw arguments are read as meant; unknown names and wrong values are refused in one sentence each."""

from typing import Any, Literal

import pytest
from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator
from pydantic.alias_generators import to_camel

from copilot_mcp.errors import ArgumentError
from copilot_mcp.server.arguments import read_arguments
from copilot_mcp.tools.chat_request import ChatRequest
from copilot_mcp.tools.filter_request import BuildFilterRequest
from copilot_mcp.tools.retrieve import RetrieveRequest


class Arguments(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, extra="forbid")


class Message(Arguments):
    text: str = Field(min_length=1, description="The question.")


class Connection(Arguments):
    connection_id: str


class External(Arguments):
    connections: list[Connection] = Field(max_length=2)


class Configuration(Arguments):
    external_item: External | None = None


class Place(Arguments):
    time_zone: str
    latitude: float | None = None


class Request(Arguments):
    message: Message = Field(description="What to ask.")
    query_string: str | None = Field(None, max_length=10)
    data_source: Literal["sharePoint", "oneDriveBusiness"] | None = None
    count: int | None = Field(None, ge=1, le=25)
    at_least: int | None = Field(None, ge=1)
    at_most: int | None = Field(None, le=9)
    enabled: bool | None = None
    names: list[str] | None = None
    configuration: Configuration | None = None
    place: Place | None = None
    checked: str | None = None
    whole: dict[str, str] | None = None

    @field_validator("checked")
    @classmethod
    def _checked(cls, value: str) -> str:
        if value == "no":
            raise ValueError("says no.")
        if value == "part":
            raise ValueError(".part says no.")
        return value


def read(**raw: Any) -> dict[str, Any]:
    raw.setdefault("message", "hello")
    return read_arguments(Request, raw).model_dump(by_alias=True, exclude_none=True)


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ({"message": "hello"}, {"message": {"text": "hello"}}),
        ({"message": {"text": "hello"}}, {"message": {"text": "hello"}}),
        ({"message": '{"text": "hello"}'}, {"message": {"text": "hello"}}),
        ({"message": "[1,2]"}, {"message": {"text": "[1,2]"}}),
        ({"message": '{"a": 1}'}, {"message": {"text": '{"a": 1}'}}),
        ({"message": "{broken"}, {"message": {"text": "{broken"}}),
        ({"message": "null"}, {"message": {"text": "null"}}),
        ({"count": "10"}, {"count": 10}),
        ({"count": 10.0}, {"count": 10}),
        ({"enabled": "True"}, {"enabled": True}),
        ({"enabled": " FALSE "}, {"enabled": False}),
        ({"enabled": False}, {"enabled": False}),
        ({"dataSource": "SharePoint"}, {"dataSource": "sharePoint"}),
        ({"names": "title"}, {"names": ["title"]}),
        ({"names": '["title","author"]'}, {"names": ["title", "author"]}),
        ({"names": ["title", None]}, {"names": ["title"]}),
        ({"names": None, "count": None}, {}),
        ({"names": ["a\ud83d"], "queryString": "\ude00"}, {"names": ["a\ufffd"], "queryString": "\ufffd"}),
        ({"message": '{"text": "a\\ud83d"}'}, {"message": {"text": "a\ufffd"}}),
        ({"place": "Europe/Berlin"}, {"place": {"timeZone": "Europe/Berlin"}}),
        (
            {"configuration": '{"externalItem": {"connections": [{"connectionId": "A"}]}}'},
            {"configuration": {"externalItem": {"connections": [{"connectionId": "A"}]}}},
        ),
        (
            {"configuration": {"externalItem": {"connections": {"connectionId": "A"}}}},
            {"configuration": {"externalItem": {"connections": [{"connectionId": "A"}]}}},
        ),
        (
            {"configuration": {"externalItem": {"connections": "A"}}},
            {"configuration": {"externalItem": {"connections": [{"connectionId": "A"}]}}},
        ),
        ({"place": {"timeZone": "Etc/UTC", "latitude": "52.5"}}, {"place": {"timeZone": "Etc/UTC", "latitude": 52.5}}),
    ],
)
def test_forms_that_models_write_are_read_as_meant(given: dict[str, Any], meant: dict[str, Any]) -> None:
    assert read(**given) == {"message": {"text": "hello"}} | meant


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"quieryString": "x"}, "`quieryString` is not an argument; did you mean `queryString`?"),
        ({"query_string": "x"}, "`query_string` is not an argument; did you mean `queryString`?"),
        ({"query": "x"}, "`query` is not an argument; did you mean `queryString`?"),
        ({"conf": {}}, "`conf` is not an argument; did you mean `configuration`?"),
        ({"co": 1}, "`co` is not an argument; known here: message,"),
        ({"connectionId": "A"}, "it belongs at `configuration.externalItem.connections[].connectionId`."),
        ({"prompt": "x"}, "`prompt` is not an argument here; it belongs at `queryString`."),
        ({"z\ud83d": 1}, "`z\ufffd` is not an argument; known here: message,"),
        ({"zzz": 1}, "`zzz` is not an argument; known here: message, queryString, dataSource,"),
        ({"message": {"text": "hi", "texxt": "x"}}, "`message.texxt` is not an argument; did you mean `message.text`?"),
        (
            {"configuration": {"externalItem": {"connections": [{"connectionID": "A"}]}}},
            "did you mean `configuration.externalItem.connections[0].connectionId`?",
        ),
        ({"message": ""}, "`message.text` is empty (The question)."),
        ({"message": None}, "`message` is missing (What to ask)."),
        ({"message": 7}, "`message` must be an object."),
        ({"queryString": "12345678901"}, "`queryString` has 11 characters; at most 10 are allowed."),
        ({"queryString": 5}, "`queryString` must be a string."),
        ({"dataSource": "drive"}, "`dataSource` is \"drive\"; it must be one of 'sharePoint' or 'oneDriveBusiness'."),
        ({"dataSource": "d" * 50}, "`dataSource` is a longer text; it must be one of"),
        ({"dataSource": ["d"]}, "`dataSource` is of type list; it must be one of"),
        ({"count": 0}, "`count` is 0; it must be 1 to 25."),
        ({"count": 26}, "`count` is 26; it must be 1 to 25."),
        ({"atLeast": 0}, "`atLeast` is 0; it must be at least 1."),
        ({"atMost": 10}, "`atMost` is 10; it must be at most 9."),
        ({"count": 10**5000}, "`count` is a huge number; it must be 1 to 25."),
        ({"count": -(10**20)}, "`count` is a huge number; it must be 1 to 25."),
        ({"count": "ten"}, "`count` must be a whole number."),
        ({"count": "1e999"}, "`count` must be a whole number."),
        ({"count": "nan"}, "`count` must be a whole number."),
        ({"count": True}, "`count` must be a whole number."),
        ({"place": {"timeZone": "Etc/UTC", "latitude": False}}, "`place.latitude` must be a number."),
        ({"count": 1.5}, "`count` must be a whole number."),
        ({"enabled": "maybe"}, "`enabled` must be true or false."),
        *[
            ({"enabled": value}, "`enabled` must be true or false.")
            for value in ("yes", "on", "y", "t", "1", 1, 1.0, 0, [True], "")
        ],
        ({"names": {"a": 5}}, "`names` must be a list."),
        ({"names": 5}, "`names[0]` must be a string."),
        ({"configuration": {"externalItem": {"connections": 5}}}, "`configuration.externalItem.connections` must be a"),
        ({"names": [5]}, "`names[0]` must be a string."),
        (
            {"configuration": {"externalItem": {"connections": ["A", "B", "C"]}}},
            "has 3 entries; at most 2 are allowed.",
        ),
        ({"configuration": "plain"}, "`configuration` must be an object."),
        ({"place": {"timeZone": "Etc/UTC", "latitude": "north"}}, "`place.latitude` must be a number."),
        ({"checked": "no"}, "`checked` says no."),
        ({"checked": "part"}, "`checked.part` says no."),
        ({"whole": 5}, "`whole` must be an object."),
    ],
)
def test_bad_arguments_are_refused_in_our_own_words(given: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ArgumentError) as caught:
        read(**given)
    assert sentence in str(caught.value)
    assert "pydantic" not in str(caught.value)
    assert str(caught.value).endswith("Nothing was sent. Correct the arguments and call again.")


def test_every_problem_is_named_at_once() -> None:
    with pytest.raises(ArgumentError) as caught:
        read(count=0, enabled="maybe")
    assert caught.value.message == "`enabled` must be true or false. `count` is 0; it must be 1 to 25."


def test_an_unknown_name_hides_no_wrong_value() -> None:
    with pytest.raises(ArgumentError) as caught:
        read_arguments(Request, {"mesage": "hello", "queryString": "12345678901", "dataSource": "drive", "at": True})
    assert caught.value.message == (
        "`mesage` is not an argument; did you mean `message`? `at` is not an argument; known here: message, "
        "queryString, dataSource, count, atLeast, atMost, enabled, names, configuration, place, checked, whole. "
        "`queryString` has 11 characters; at most 10 are allowed. "
        "`dataSource` is \"drive\"; it must be one of 'sharePoint' or 'oneDriveBusiness'."
    )


def test_a_long_name_is_shown_in_part() -> None:
    with pytest.raises(ArgumentError) as caught:
        read_arguments(Request, {"x" * 3_000: 1})
    assert caught.value.message.startswith(f"`{'x' * 40}…` is not an argument; known here: ")
    assert len(caught.value.message) < 300


def test_what_follows_from_a_named_problem_is_not_said() -> None:
    class Counted(Arguments):
        count: int

        @model_validator(mode="after")
        def _whole(self) -> "Counted":
            raise ValueError("say nothing useful without the argument that was misspelt.")

    for given, sentence in (
        ({"count": True}, "`count` must be a whole number."),
        ({"coumt": 1}, "`coumt` is not an argument; did you mean `count`?"),
        ({"count": 1, "zzz": 1}, "`zzz` is not an argument; known here: count."),
    ):
        with pytest.raises(ArgumentError) as caught:
            read_arguments(Counted, given)
        assert caught.value.message == sentence


def test_filter_leads_to_the_filter_expression_of_a_retrieval() -> None:
    with pytest.raises(ArgumentError) as caught:
        read_arguments(RetrieveRequest, {"queryString": "", "dataSource": "bogus", "filter": "x"})
    assert "`filter` is not an argument; did you mean `filterExpression`? `queryString` is " in caught.value.message
    assert '`dataSource` is "bogus"; it must be one of ' in caught.value.message


def test_deep_json_text_is_not_parsed_for_ever() -> None:
    with pytest.raises(ArgumentError):
        read(configuration="[" * 100_000)


@pytest.mark.parametrize("name", ["prompt", "query", "question", "input", "content", "Question"])
def test_a_question_under_another_name_leads_to_the_message(name: str) -> None:
    with pytest.raises(ArgumentError) as caught:
        read_arguments(ChatRequest, {name: "hi"})
    assert caught.value.message == f"`{name}` is not an argument here; it belongs at `message.text`."


def test_a_question_has_no_place_in_a_filter() -> None:
    with pytest.raises(ArgumentError) as caught:
        read_arguments(BuildFilterRequest, {"dataSource": "sharePoint", "prompt": "hi"})
    assert caught.value.message.startswith("`prompt` is not an argument; known here: dataSource, all,")
