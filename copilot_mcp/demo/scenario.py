"""What the demo asks: written for the built-in company, derived from the documents for any other folder."""

from collections.abc import Iterable
from dataclasses import dataclass

from copilot_mcp.simulator import Document, Tenant, User

__all__ = ["BUILT_IN_SCOPE", "Scenario", "questions_for", "scenario_for", "site_of"]


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
        rights_show: both people must not get the same hits for `rights_question`.
    """

    first: User
    second: User
    question: str
    rights_question: str
    follow_up: str
    conditions: list[dict[str, object]]
    malformed: str
    scope: str
    rights_show: bool


BUILT_IN_SCOPE = "https://contoso.sharepoint.com/sites/HR1/"
BUILT_IN_QUESTION = "How many weeks of parental leave do we get?"
BUILT_IN_RIGHTS_QUESTION = "What is the state of the Fabrikam matter?"


def questions_for(tenant: Tenant, question: str | None, *, built_in: bool) -> tuple[str, str]:
    """What is asked, and what is asked as both people; a given `question` is both."""
    if question is not None:
        return question, question
    if built_in:
        return BUILT_IN_QUESTION, BUILT_IN_RIGHTS_QUESTION
    shared = [each for each in _readable(tenant, tenant.users[1]) if each.source == "sharePoint"]
    seen = {each.url for each in shared}
    private = [each for each in _readable(tenant, tenant.users[0]) if each.url not in seen]
    return _about(_longest(shared or private)), _about(_longest(private or shared))


def scenario_for(tenant: Tenant, asked: str, about_rights: str, scope: str) -> Scenario:
    """The scenario for `tenant`, with the filter that `scope` asks for."""
    return Scenario(
        first=tenant.users[0],
        second=tenant.users[1],
        question=asked,
        rights_question=about_rights,
        follow_up="Who wrote that, and what else does it say?",
        conditions=[
            {"property": "Path", "operator": "startsWith", "values": [scope]},
            {"property": "LastModifiedTime", "operator": "atLeast", "values": ["2020-01-01"]},
        ],
        malformed=f'Path: "{scope}" and LastModifiedTime > 2020-01-01',
        scope=scope,
        rights_show=about_rights != asked,  # a question of the user's own may be about what both may read
    )


def site_of(tenant: Tenant, url: str) -> str:
    """The address, with its final slash, of the site that `url` lies in; its folder where no site is known."""
    sites = [f"{site.url.rstrip('/')}/" for site in tenant.sites]
    return max((site for site in sites if url.startswith(site)), key=len, default=url.rpartition("/")[0] + "/")


def _readable(tenant: Tenant, user: User) -> list[Document]:
    return [each for each in tenant.documents if each.readers & user.principals]


def _longest(documents: Iterable[Document]) -> Document:
    return max(documents, key=lambda each: (len(each.body), each.url))


def _about(document: Document) -> str:
    return f'What does the page "{document.title}" say?'
