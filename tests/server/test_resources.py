"""The catalogue of the filter language as resources and completions, in both protocol eras."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from mcp import Client, MCPError
from mcp.types import PromptReference, ResourceTemplateReference

from copilot_mcp import graph
from copilot_mcp.kql.diagnostics import CODES
from copilot_mcp.kql.properties import DATA_SOURCES

pytestmark = pytest.mark.anyio

TEN = [
    "Author",
    "FileExtension",
    "Filename",
    "FileType",
    "InformationProtectionLabelId",
    "LastModifiedTime",
    "ModifiedBy",
    "Path",
    "SiteID",
    "Title",
]
TEMPLATE = "copilot://filter/properties/{dataSource}/{property}"
NAMES = {"sites": {"HR": "https://contoso.sharepoint.com/sites/HR/"}, "connections": {"hr tickets": "ContosoHR"}}


async def text_of(client: Client, uri: str) -> str:
    (content,) = (await client.read_resource(uri)).contents
    return str(getattr(content, "text", None))


async def values(client: Client, uri: str, name: str, typed: str, **given: str) -> list[str]:
    ref = ResourceTemplateReference(type="ref/resource", uri=uri)
    found = await client.complete(ref, {"name": name, "value": typed}, given or None)
    assert found.completion.total in (None, len(found.completion.values))
    return found.completion.values


async def test_every_data_source_has_a_listed_catalogue(client: Client) -> None:
    listed = {str(each.uri) for each in (await client.list_resources()).resources}
    assert listed == {"copilot://filter/codes", *(f"copilot://filter/properties/{source}" for source in DATA_SOURCES)}
    assert graph.DATA_SOURCES == DATA_SOURCES
    templates = {each.uri_template for each in (await client.list_resource_templates()).resource_templates}
    assert templates == {"copilot://filter/properties/{dataSource}", TEMPLATE, "copilot://filter/names/{name}"}


async def test_the_catalogue_names_type_operators_and_example(client: Client) -> None:
    data = json.loads(await text_of(client, "copilot://filter/properties/sharePoint"))
    assert list(data) == ["dataSource", "properties"]
    assert [row["name"] for row in data["properties"]] == TEN
    assert data["properties"][5] == {
        "name": "LastModifiedTime",
        "type": "date",
        "operators": [":", "=", "<>", "<", "<=", ">", ">=", ".."],
        "example": "LastModifiedTime>=2025-01-01",
    }
    one = json.loads(await text_of(client, "copilot://filter/properties/oneDriveBusiness/path"))
    assert (one["dataSource"], one["name"]) == ("oneDriveBusiness", "Path")


@pytest.mark.parametrize(("source", "words"), [("externalItem", "connectorSchema"), ("sharePointEmbedded", "OWSTEXT")])
async def test_sources_with_properties_of_their_own_say_where_these_are(
    client: Client, source: str, words: str
) -> None:
    data = json.loads(await text_of(client, f"copilot://filter/properties/{source}"))
    assert data["properties"] == []
    assert words in data["about"]


async def test_names_and_allowed_properties_are_in_the_catalogue(connect: Callable[..., Any]) -> None:
    client = await connect(names=NAMES, allow_property=("Topic",))
    data = json.loads(await text_of(client, "copilot://filter/properties/sharePoint"))
    assert (data["names"], data["allowedProperties"]) == (NAMES, ["Topic"])
    assert json.loads(await text_of(client, "copilot://filter/names/HR%20Tickets")) == {
        "name": "HR Tickets",
        "standsFor": {"connections": "ContosoHR"},
    }


async def test_the_page_of_codes_explains_each(client: Client) -> None:
    page = await text_of(client, "copilot://filter/codes")
    assert [code for code in CODES if f"### {code}\n" not in page] == []


@pytest.mark.parametrize(
    "uri",
    [
        "copilot://filter/properties/teams",
        "copilot://filter/properties/sharePoint/Colour",
        "copilot://filter/names/nobody",
    ],
)
async def test_what_is_not_there_is_said(client: Client, uri: str) -> None:
    with pytest.raises(MCPError, match=f"There is no resource {uri}"):
        await client.read_resource(uri)


async def test_property_names_and_nicknames_are_completed(connect: Callable[..., Any]) -> None:
    client = await connect(names=NAMES, allow_property=("Topic",))
    assert await values(client, TEMPLATE, "dataSource", "share") == ["sharePoint", "sharePointEmbedded"]
    assert await values(client, TEMPLATE, "property", "file", dataSource="oneDriveBusiness") == TEN[1:4]
    assert await values(client, TEMPLATE, "property", "tI") == [
        "Title",
        "InformationProtectionLabelId",
        "LastModifiedTime",
    ]
    assert await values(client, TEMPLATE, "property", "top") == ["Topic"]
    assert await values(client, TEMPLATE, "property", "", dataSource="sharePointEmbedded") == ["Topic"]
    assert await values(client, "copilot://filter/names/{name}", "name", "hr") == ["HR", "hr tickets"]
    assert await values(client, TEMPLATE, "colour", "r") == []


async def test_other_references_are_completed_with_nothing(client: Client) -> None:
    assert await values(client, "other://{x}", "property", "t") == []
    ref = PromptReference(type="ref/prompt", name="none")
    assert (await client.complete(ref, {"name": "property", "value": "t"})).completion.values == []
