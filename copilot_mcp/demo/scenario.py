"""What the demo asks: written for the built-in company, derived from the documents for any other folder."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from copilot_mcp.simulator import Document, Tenant, User

__all__ = ["Scenario", "scenario_for"]


@dataclass(frozen=True, slots=True)
class Scenario:
    """Two people and what is asked on their behalf.

    Attributes:
        first: may read everything that is asked about; signs in and chats.
        second: has fewer rights.
        question: for retrieval and chat.
        rights_question: the same for both people; its best answer is one that `second` may not read.
        follow_up: the next turn of the conversation.
        conditions: typed conditions for build_filter.
        malformed: a filter a model might write, which Graph ignores in silence.
        scope: the address below which every hit should lie.
    """

    first: User
    second: User
    question: str
    rights_question: str
    follow_up: str
    conditions: list[dict[str, object]]
    malformed: str
    scope: str


def scenario_for(tenant: Tenant, question: str | None, *, built_in: bool) -> Scenario:
    """The scenario for `tenant`; a given `question` is asked in every step."""
    first, second = tenant.users[0], tenant.users[1]
    shared = [each for each in _readable(tenant, second) if each.source == "sharePoint"]
    seen = {each.url for each in shared}
    private = [each for each in _readable(tenant, first) if each.url not in seen and each.source == "sharePoint"]
    if built_in:
        scope = "https://contoso.sharepoint.com/sites/HR1/"
        asked, about_rights = "How many weeks of parental leave do we get?", "What is the state of the Fabrikam matter?"
    else:
        scope = _busiest_site(tenant, shared)
        asked = _about(_longest(each for each in shared if each.url.startswith(scope)))
        about_rights = _about(_longest(private or shared))
    return Scenario(
        first=first,
        second=second,
        question=question or asked,
        rights_question=question or about_rights,
        follow_up="Who wrote that, and what else does it say?",
        conditions=[
            {"property": "Path", "operator": "startsWith", "values": [scope]},
            {"property": "LastModifiedTime", "operator": "atLeast", "values": ["2020-01-01"]},
        ],
        malformed=f'Path: "{scope}" and LastModifiedTime > 2020-01-01',
        scope=scope,
    )


def _readable(tenant: Tenant, user: User) -> list[Document]:
    return [each for each in tenant.documents if each.readers & user.principals]


def _busiest_site(tenant: Tenant, documents: list[Document]) -> str:
    """The address, with its final slash, of the site that holds most of `documents`."""
    counts = Counter(
        site.url for each in documents for site in tenant.sites if each.url.startswith(f"{site.url.rstrip('/')}/")
    )
    return f"{counts.most_common(1)[0][0].rstrip('/')}/"


def _longest(documents: Iterable[Document]) -> Document:
    return max(documents, key=lambda each: (len(each.body), each.url))


def _about(document: Document) -> str:
    return f'What does the page "{document.title}" say?'
