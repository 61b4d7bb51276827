"""What a test or the tenant's control address decides about sign-in: consent, policies, challenges, keys, life times.

    simulator.identity.set_consent("adele", ["Mail.Read"], "admin")
    simulator.identity.block("megan", 53003)

People are named by key, user name or id; scopes without prefix. May be used from any thread.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any, get_args
from urllib.parse import parse_qsl, urlsplit

from copilot_mcp.simulator.authorize import Authorizations, BrowserAnswer
from copilot_mcp.simulator.challenges import Challenge, Challenges
from copilot_mcp.simulator.consents import CONSENT_STATES, ConsentState
from copilot_mcp.simulator.entra_errors import EntraRefusalError
from copilot_mcp.simulator.entra_faults import header_text
from copilot_mcp.simulator.faults import Faults
from copilot_mcp.simulator.policies import Policy, Shown
from copilot_mcp.simulator.refresh_tokens import Rotation
from copilot_mcp.simulator.retrieval import RETRIEVAL_SCOPES
from copilot_mcp.simulator.scopes import known_scopes
from copilot_mcp.simulator.sessions import FLOWS, Flow, access_token_claims, claims_asked
from copilot_mcp.simulator.sign_ins import DEFAULT_CLIENT_ID, SignIns
from copilot_mcp.simulator.tokens import Tokens

__all__ = ["Identity"]

STEP_UP_CLAIMS: Mapping[str, Any] = {"access_token": {"acrs": {"essential": True, "value": "c1"}}}
"""An authentication context that has to be met."""


@dataclass(frozen=True, slots=True)
class Identity:
    """The controls of one tenant's sign-in."""

    sign_ins: SignIns
    authorizations: Authorizations
    challenges: Challenges
    tokens: Tokens
    faults: Faults
    clock: Callable[[], float]

    def set_consent(
        self, user: str, scopes: Collection[str], state: ConsentState, client_id: str = DEFAULT_CLIENT_ID
    ) -> None:
        """Put these scopes into a state: granted; withheld (left out in silence); user (asked of the person at the
        next sign-in); admin (the sign-in is refused with 90094). A refresh is refused with 65001 in all but the first.

        Raises:
            LookupError: no such user or client.
            ValueError: no such scope or state.
        """
        if state not in CONSENT_STATES:
            raise ValueError(f"state must be one of {', '.join(CONSENT_STATES)}")
        self.sign_ins.client_name(client_id)
        self.sign_ins.consents.put(client_id, self._id(user), known_scopes(scopes), state)

    def block(
        self,
        user: str | None = None,
        number: int = 53003,
        *,
        flows: Collection[Flow] = FLOWS,
        shown: Shown = "browser",
        claims: Mapping[str, Any] | None = None,
    ) -> None:
        """Conditional Access stops this person, or everybody, with an AADSTS number.

        `flows` are among device, browser and refresh. A block of `device` stops the refreshes of such sign-ins too.
        With `shown="browser"` a sign-in is stopped on the person's page and the client goes on waiting; with `client`
        the client is told: at the token endpoint, or at its redirect.

        Raises:
            LookupError: no such user.
            ValueError: no such number, flow or place.
        """
        self.sign_ins.policies.add(Policy(number, self._maybe(user), tuple(flows), shown, claims))

    def require_sign_in(
        self,
        user: str | None = None,
        number: int = 50076,
        *,
        claims: Mapping[str, Any] | None = None,
        if_asked: bool = False,
    ) -> None:
        """Refuse refreshes until the person has signed in again; with `claims`, by a request that asked for them, and
        with `if_asked` only those refreshes that ask for them too.

        Raises:
            LookupError: no such user.
            ValueError: no such number.
        """
        after = self.sign_ins.latest
        who = self._maybe(user)
        rule = Policy(number, who, ("refresh",), "client", claims, until_sign_in=True, after=after, if_asked=if_asked)
        self.sign_ins.policies.add(rule)

    def require_sign_in_every(self, seconds: float, user: str | None = None) -> None:
        """Refuse refreshes of sign-ins older than this, with 70043: the sign-in frequency."""
        self.sign_ins.policies.add(Policy(70043, self._maybe(user), ("refresh",), "client", every_s=seconds))

    def unblock(self, user: str | None = None) -> None:
        """Forget the policies about this person, or all."""
        self.sign_ins.policies.drop(self._maybe(user))

    def challenge(
        self,
        user: str,
        claims: Mapping[str, Any] = STEP_UP_CLAIMS,
        *,
        needs_sign_in: bool = False,
        number: int = 50076,
        header: str = "",
        endless: bool = False,
        sources: Collection[str] = (),
        status: int = 401,
    ) -> None:
        """Graph answers this person's tokens with `status`, 401 or 403, and these claims until a token comes that was
        asked for with them. Only tokens of a client with the capability `cp1` are challenged; with `sources` only in
        retrievals from these data sources.

        With `needs_sign_in` a refresh with the claims is refused with `number` and the claims, while one without them
        goes on. `header` replaces the value of WWW-Authenticate, for malformed ones; an `endless` challenge is never
        met.

        Raises:
            LookupError: no such user.
            ValueError: the claims ask nothing of the access token, no such data source, another status, or a header
                that cannot be sent.
        """
        if not access_token_claims(claims):
            raise ValueError("claims must be an object whose access_token is an object with members")
        if status not in (401, 403):
            raise ValueError("status must be 401 or 403")
        if not header_text(header):
            raise ValueError("header must be printable ASCII text")
        if not RETRIEVAL_SCOPES.keys() >= set(sources):
            raise ValueError(f"sources must be among {', '.join(RETRIEVAL_SCOPES)}")
        self.challenges.add(Challenge(self._id(user), claims, header, endless, frozenset(sources), status))
        if needs_sign_in:
            self.require_sign_in(user, number, claims=claims, if_asked=True)

    def end_challenges(self, user: str | None = None) -> None:
        """Forget the challenges of this person, or all; a sign-in that they asked for stays required."""
        self.challenges.drop(self._maybe(user))

    def revoke_sessions(self, user: str) -> None:
        """As after a password change: refresh tokens are refused (50173), and Graph challenges the tokens there are.

        Raises:
            LookupError: no such user.
        """
        self.sign_ins.revoke(user)
        claims = {"access_token": {"nbf": {"essential": True, "value": str(int(self.clock()))}}}
        self.challenge(user, claims)

    def rotate_refresh_tokens(self, rotation: Rotation) -> None:
        """`normal`, as Entra does it, or `strict`: the second use of a token ends its family with 70000.

        Raises:
            ValueError: neither.
        """
        if rotation not in get_args(Rotation):
            raise ValueError("rotation must be normal or strict")
        self.sign_ins.refresh_tokens.rotation = rotation

    def refreshes(self, user: str) -> int:
        """How many times this person's refresh tokens have been redeemed.

        Raises:
            LookupError: no such user.
        """
        return self.sign_ins.refresh_tokens.count(self._id(user))

    def rotate_key(self, *, keep_old: bool = True) -> None:
        """Sign with a new key; tokens of a key that is not kept are refused by Graph."""
        self.tokens.rotate_key(keep_old=keep_old)

    def token_life(self, seconds: int) -> None:
        """Access and ID tokens made from now on are good for so long."""
        self.tokens.life_s = seconds

    def outage(self, seconds: float | None = None) -> None:
        """Entra answers 503 for so long, or until the faults are cleared."""
        until = None if seconds is None else self.clock() + seconds
        self.faults.add("outage", times=None, value=until)

    def browse(self, url: str, user: str | None, *, consent: bool = True) -> BrowserAnswer | int:
        """Do what a person does with an authorize address: approve as `user`, or decline with None.

        Answers where the browser goes next; or the AADSTS number that the page shows instead of going anywhere.

        Raises:
            LookupError: no such user.
        """
        query = dict(parse_qsl(urlsplit(url).query))
        try:
            request = self.authorizations.begin(query, claims_asked(query))
        except EntraRefusalError as refusal:
            return refusal.code
        try:
            self.authorizations.check(request, query)
        except EntraRefusalError as refusal:
            return self.authorizations.refused(request, refusal)
        try:
            return self.authorizations.decide(request.id, user, agreed=consent)
        except EntraRefusalError as refusal:
            return refusal.code

    def _id(self, user: str) -> str:
        return self.sign_ins.known(user).id

    def _maybe(self, user: str | None) -> str | None:
        return None if user is None else self._id(user)
