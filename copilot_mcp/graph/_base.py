"""The two bases of every Graph model: strict in what we send, tolerant in what we read."""

from typing import Any, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    ModelWrapValidatorHandler,
    PrivateAttr,
    ValidationError,
    model_validator,
)
from pydantic.alias_generators import to_camel


class GraphBody(BaseModel):
    """What we send. Unknown members are refused, so that a misspelt name never searches everything."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        populate_by_name=True,
        extra="forbid",
        allow_inf_nan=False,
        hide_input_in_errors=True,
        defer_build=True,  # a model that is never used costs nothing
    )

    def payload(self) -> dict[str, Any]:
        """The JSON object for the wire: Graph's names, members without a value left out (Graph dislikes nulls)."""
        kept = _without_empties(self.model_dump(mode="json", by_alias=True, exclude_none=True))
        return kept if isinstance(kept, dict) else {}


class GraphResource(BaseModel):
    """What we get. Unknown members are kept, null counts as absent, enumerations are open strings."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        populate_by_name=True,
        extra="allow",
        frozen=True,
        allow_inf_nan=False,
        coerce_numbers_to_str=True,
        hide_input_in_errors=True,
        defer_build=True,  # a model that is never used costs nothing
    )

    @model_validator(mode="wrap")
    @classmethod
    def _as_far_as_readable(cls, value: Any, read: ModelWrapValidatorHandler[Self]) -> Self:
        """Without nulls, and without odd members: one must not cost the rest of a paid answer.

        Members without a default stay strict. Around the model and not around each of its members, of which there
        are hundreds in an answer.
        """
        if not isinstance(value, dict):
            return read(value)
        members = cls._without_nulls(value)
        while True:
            try:
                return read(members)
            except ValidationError as error:
                odd = {problem["loc"][0] for problem in error.errors(include_url=False, include_input=False)}
                if not odd & members.keys():  # what lacks is a member without a default
                    raise
            # Where a member has two spellings, only the one that was read is found odd.
            members = {name: member for name, member in members.items() if name not in odd}

    @classmethod
    def _without_nulls(cls, members: dict[str, Any]) -> dict[str, Any]:
        return {name: member for name, member in members.items() if member is not None}


class GraphAnswer(GraphResource):
    """A whole answer: a resource that also knows what it took to get it."""

    _request_id: str = PrivateAttr("")
    _requests_used: int = PrivateAttr(0)

    @property
    def request_id(self) -> str:
        """Microsoft's id of the request, for support; may be empty."""
        return self._request_id

    @property
    def requests_used(self) -> int:
        """Requests that were sent for this answer, retries counted; what a quota has lost."""
        return self._requests_used

    def stamped(self, request_id: str, requests_used: int) -> Self:
        """This answer, marked with what it took."""
        self._request_id = request_id
        self._requests_used = requests_used
        return self


def _only_objects(value: Any) -> Any:
    return [member for member in value if isinstance(member, dict | BaseModel)] if isinstance(value, list) else value


ONLY_OBJECTS = BeforeValidator(_only_objects)
"""On a list of resources: members that are no objects are left out."""


def _without_empties(value: Any) -> Any:
    """The value without members that are null or empty, from the inside out; None when nothing is left."""
    if isinstance(value, dict):
        members = {name: _without_empties(member) for name, member in value.items()}
        return {name: member for name, member in members.items() if member is not None} or None
    if isinstance(value, list):
        return [kept for kept in map(_without_empties, value) if kept is not None] or None
    return None if value == "" else value
