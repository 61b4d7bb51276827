"""A client that nobody here wrote: Microsoft's own Python SDK against the simulated tenant, over loopback HTTP."""

from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import pytest

from copilot_mcp.simulator import Simulator, Tenant

sdk = pytest.importorskip(
    "microsoft_agents_m365copilot_beta", reason="Microsoft's SDK is missing: pip install '.[peers]'"
)

# The SDK marks retrieval as deprecated for a preview of 2024, and one of its parts uses a deprecated call.
pytestmark = [pytest.mark.anyio, pytest.mark.filterwarnings("ignore::DeprecationWarning")]

SCOPES = (
    "Sites.Read.All Files.Read.All Mail.Read People.Read.All OnlineMeetingTranscript.Read.All Chat.Read "
    "ChannelMessage.Read.All ExternalItem.Read.All"
)
CLIENT_ID = "00000000-0000-4000-8000-00000000c0de"


class Token:
    """A token taken from the tenant's device flow by plain HTTP, handed to the SDK as its authentication provider."""

    def __init__(self, value: str) -> None:
        self.value = value

    async def authenticate_request(self, request: Any, context: Any = None) -> None:
        request.headers.try_add("Authorization", f"Bearer {self.value}")


@pytest.fixture
def tenant(company: Tenant) -> Iterator[Simulator]:
    with Simulator(company) as simulator:
        simulator.start()
        yield simulator


@pytest.fixture
async def peer(tenant: Simulator) -> AsyncIterator[Any]:
    from microsoft_agents_m365copilot_beta.agents_m365_copilot_beta_request_adapter import (
        AgentsM365CopilotBetaRequestAdapter,
    )
    from microsoft_agents_m365copilot_beta.agents_m365_copilot_beta_service_client import (
        AgentsM365CopilotBetaServiceClient,
    )

    authority = f"{tenant.url}/organizations/oauth2/v2.0"
    async with httpx.AsyncClient(trust_env=False, timeout=30) as http:
        form = {"client_id": CLIENT_ID, "scope": SCOPES}
        flow = (await http.post(f"{authority}/devicecode", data=form)).json()
        tenant.approve(flow["user_code"], "adele")
        grant = {
            "client_id": CLIENT_ID,
            "grant_type": "urn:ietf:params:oauth:grant-type:device_code",
            "device_code": flow["device_code"],
        }
        answer = (await http.post(f"{authority}/token", data=grant)).json()
        adapter = AgentsM365CopilotBetaRequestAdapter(Token(answer["access_token"]), client=http)
        adapter.base_url = f"{tenant.url}/beta"
        yield AgentsM365CopilotBetaServiceClient(request_adapter=adapter)


def chat_body(prompt: str) -> Any:
    from microsoft_agents_m365copilot_beta.generated.copilot.conversations.item.microsoft_graph_copilot_chat import (
        chat_post_request_body,
    )
    from microsoft_agents_m365copilot_beta.generated.models.copilot_conversation_location import (
        CopilotConversationLocation,
    )
    from microsoft_agents_m365copilot_beta.generated.models.copilot_conversation_request_message_parameter import (
        CopilotConversationRequestMessageParameter,
    )

    return chat_post_request_body.ChatPostRequestBody(
        message=CopilotConversationRequestMessageParameter(text=prompt),
        location_hint=CopilotConversationLocation(time_zone="Europe/Berlin"),
    )


async def test_microsofts_sdk_creates_a_conversation_and_chats(peer: Any) -> None:
    from microsoft_agents_m365copilot_beta.generated.models.copilot_conversation import CopilotConversation

    created = await peer.copilot.conversations.post(CopilotConversation())
    assert created.id
    assert created.turn_count == 0
    assert created.created_date_time.tzinfo is not None
    chatting = peer.copilot.conversations.by_copilot_conversation_id(created.id).microsoft_graph_copilot_chat
    answered = await chatting.post(chat_body("How many weeks of parental leave do we get?"))
    assert answered.id == created.id
    assert answered.turn_count == 1
    assert answered.state.value == "active"
    echo, answer = answered.messages
    assert echo.text == "How many weeks of parental leave do we get?"
    assert "parental" in answer.text.lower()
    assert {each.attribution_type.value for each in answer.attributions} == {"citation", "annotation"}
    assert all(each.see_more_web_url for each in answer.attributions)
    assert answer.sensitivity_label.display_name


async def test_microsofts_sdk_reads_the_stream(peer: Any) -> None:
    from importlib import import_module

    package = "microsoft_agents_m365copilot_beta.generated.copilot.conversations.item"
    name = f"{package}.microsoft_graph_copilot_chat_over_stream.chat_over_stream_post_request_body"
    stream_body = import_module(name).ChatOverStreamPostRequestBody
    from microsoft_agents_m365copilot_beta.generated.models.copilot_conversation import CopilotConversation

    body = chat_body("How do I set up the VPN?")
    over = stream_body(message=body.message, location_hint=body.location_hint)
    created = await peer.copilot.conversations.post(CopilotConversation())
    conversation = peer.copilot.conversations.by_copilot_conversation_id(created.id)
    content = await conversation.microsoft_graph_copilot_chat_over_stream.post(over)
    assert content.startswith(b"data: {")
    assert b"How do I set up the VPN?" in content


async def test_microsofts_sdk_retrieves(peer: Any) -> None:
    from microsoft_agents_m365copilot_beta.generated.copilot.retrieval.retrieval_post_request_body import (
        RetrievalPostRequestBody,
    )
    from microsoft_agents_m365copilot_beta.generated.models.retrieval_data_source import RetrievalDataSource

    hr1 = "https://contoso.sharepoint.com/sites/HR1/"
    found = await peer.copilot.retrieval.post(
        RetrievalPostRequestBody(
            query_string="How many weeks of parental leave do we get?",
            data_source=RetrievalDataSource.SharePoint,
            filter_expression=f'Path:"{hr1}"',
            resource_metadata=["title", "author"],
            maximum_number_of_results=3,
        )
    )
    assert 1 <= len(found.retrieval_hits) <= 3
    for hit in found.retrieval_hits:
        assert hit.web_url.startswith(hr1)
        assert hit.resource_type.value == "listItem"
        assert hit.resource_metadata.additional_data["title"]
        for extract in hit.extracts:
            assert extract.text
            assert 0 <= extract.relevance_score <= 1


async def test_microsofts_sdk_reads_our_errors(peer: Any, tenant: Simulator) -> None:
    from microsoft_agents_m365copilot_beta.generated.copilot.retrieval.retrieval_post_request_body import (
        RetrievalPostRequestBody,
    )
    from microsoft_agents_m365copilot_beta.generated.models.o_data_errors.o_data_error import ODataError

    tenant.faults.add("forbidden", operation="retrieval")
    with pytest.raises(ODataError) as caught:
        await peer.copilot.retrieval.post(RetrievalPostRequestBody(query_string="leave"))
    assert caught.value.response_status_code == 403
    assert caught.value.error is not None
    assert caught.value.error.code is not None
