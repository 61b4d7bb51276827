"""Simulated Entra: discovery, keys, device codes and tokens in Entra's wire form."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from copilot_mcp.simulator.authorize import Authorizations
from copilot_mcp.simulator.authorize_page import authorize_page, browser_reply, refusal_page
from copilot_mcp.simulator.challenges import Challenges
from copilot_mcp.simulator.device_codes import DEVICE_CODE_LIFETIME_S
from copilot_mcp.simulator.entra_errors import EntraRefusalError, entra_refusal, error_members
from copilot_mcp.simulator.faults import Fault, Faults
from copilot_mcp.simulator.replies import Reply, RequestIds, fault_reply
from copilot_mcp.simulator.sessions import Grant, claims_asked
from copilot_mcp.simulator.sign_ins import SignIns
from copilot_mcp.simulator.spoilt_answers import Spoiler, client_info
from copilot_mcp.simulator.stand_ins import stand_in
from copilot_mcp.simulator.tokens import GRAPH_RESOURCE, ISSUER, TENANT_ID, Tokens

__all__ = ["DEVICE_CODE_GRANT", "ENTRA_PATHS", "Entra", "EntraCall"]

DEVICE_CODE_GRANT: Final = "urn:ietf:params:oauth:grant-type:device_code"
ENTRA_PATHS: Final[Mapping[str, tuple[str, str]]] = {
    "v2.0/.well-known/openid-configuration": ("discovery", "GET"),
    "discovery/v2.0/keys": ("keys", "GET"),
    "oauth2/v2.0/authorize": ("authorize", "GET"),
    "oauth2/v2.0/devicecode": ("devicecode", "POST"),
    "oauth2/v2.0/token": ("token", "POST"),
}
_TENANTS: Final = frozenset({TENANT_ID, "organizations", "contoso.example", "contoso.onmicrosoft.com"})


@dataclass(frozen=True, slots=True)
class EntraCall:
    """One request to Entra. `form` is the body's, or the query of a browser.

    `base` is the address it was asked under, `approval_page` where codes are typed, `key` what the browser brought
    of the tenant's start-up key, None where the tenant has none.
    """

    operation: str
    tenant: str
    form: Mapping[str, str]
    base: str
    approval_page: str
    ids: RequestIds
    key: str | None = None


@dataclass(frozen=True, slots=True)
class Entra:
    """Entra's operations over one tenant's sign-ins."""

    sign_ins: SignIns
    authorizations: Authorizations
    challenges: Challenges
    tokens: Tokens
    faults: Faults
    clock: Callable[[], float]

    def answer(self, call: EntraCall) -> Reply:
        """Carry out one request; every refusal comes back in Entra's shape."""
        for fault in self.faults.take(call.operation, "answer"):
            if fault.name == "outage" and fault.value is not None and self.clock() >= fault.value:
                self.faults.drop(fault)
                continue
            return self._struck(fault, call)
        grants: list[Grant] = []
        try:
            reply = self._carry_out(call, grants)
        except EntraRefusalError as refusal:
            return self._refused(refusal, call)
        spoiler = Spoiler(self.tokens, self.sign_ins.users)
        for fault in self.faults.take(call.operation, "sign_in") if reply.status == 200 else ():
            spoiler.spoil(fault.name, fault.value, fault.retry_after, reply, grants[0] if grants else None)
        return reply

    def wrong_method(self, method: str, right: str, ids: RequestIds, base: str) -> Reply:
        """The answer to a request with another method than the endpoint takes."""
        sentence = f"The endpoint only accepts {right} requests. Received a {method} request."
        refusal = EntraRefusalError("invalid_request", 900561, sentence, status=405)
        return Reply(405, error_members(refusal, self.clock(), ids.client_request_id, base), {"Allow": right})

    def _carry_out(self, call: EntraCall, grants: list[Grant]) -> Reply:
        if call.tenant.casefold() not in _TENANTS:
            raise entra_refusal(90002)
        match call.operation:
            case "discovery":
                return Reply(200, _discovery(f"{call.base}/{call.tenant}"))
            case "keys":
                return Reply(200, self.tokens.jwks())
            case "authorize":
                return self._authorize(call)
            case "devicecode":
                return self._device_code(call)
            case _:
                grants.append(self._grant(call.form))
                return Reply(200, self._tokens_for(grants[0]), notes={"user": grants[0].user.key})

    def _authorize(self, call: EntraCall) -> Reply:
        """The page, or straight back to the application when something of the request is wrong."""
        request = self.authorizations.begin(call.form, claims_asked(call.form))
        try:
            self.authorizations.check(request, call.form)
            if self.sign_ins.auto_approve is not None:
                return browser_reply(self.authorizations.decide(request.id, self.sign_ins.auto_approve.id))
        except EntraRefusalError as refusal:
            return browser_reply(self.authorizations.refused(request, refusal))
        client = self.sign_ins.client_name(request.client_id)
        return authorize_page(request, self.sign_ins.users, client, key=call.key)

    def _device_code(self, call: EntraCall) -> Reply:
        form = call.form
        device_code, pending = self.sign_ins.start(
            _needed(form, "client_id"), _needed(form, "scope"), claims_asked(form)
        )
        page = call.approval_page
        message = f"This is a simulated sign-in. Open {page} in a browser and enter the code {pending.user_code}."
        body = {
            "user_code": pending.user_code,
            "device_code": device_code,
            "verification_uri": page,
            "expires_in": DEVICE_CODE_LIFETIME_S,
            "interval": pending.interval,
            "message": message,
        }
        return Reply(200, body)

    def _grant(self, form: Mapping[str, str]) -> Grant:
        client_id = _needed(form, "client_id")
        match _needed(form, "grant_type"):
            case "refresh_token":
                token, scope = _needed(form, "refresh_token"), form.get("scope", ".default")
                return self.sign_ins.refresh(token, client_id, scope, claims_asked(form))
            case "authorization_code":
                return self.authorizations.redeem(_needed(form, "code"), form, claims_asked(form))
            case kind if kind == DEVICE_CODE_GRANT:
                return self.sign_ins.redeem(_needed(form, "device_code", "code"), client_id, claims_asked(form))
            case _:
                raise entra_refusal(70003)

    def _tokens_for(self, grant: Grant) -> dict[str, Any]:
        token_id = self.tokens.new_id()
        self.challenges.note(token_id, grant)
        changes = {"uti": token_id, "xms_cc": ["cp1"] if grant.capable else None}
        return {
            "token_type": "Bearer",
            "scope": " ".join((*grant.echo, "openid", "profile")),
            "expires_in": self.tokens.life_s,
            "ext_expires_in": self.tokens.life_s,
            "access_token": self.tokens.access_token(
                grant.user, grant.client_id, GRAPH_RESOURCE, grant.scopes, changes
            ),
            "refresh_token": self.sign_ins.refresh_token(grant),
            "id_token": self.tokens.id_token(grant.user, grant.client_id, {"nonce": grant.nonce or None}),
            "client_info": client_info(grant.user, TENANT_ID),
        }

    def _refused(self, refusal: EntraRefusalError, call: EntraCall) -> Reply:
        if call.operation == "authorize":
            return refusal_page(str(refusal), refusal.status)
        members = error_members(refusal, self.clock(), call.ids.client_request_id, call.base)
        return Reply(refusal.status, members, {"x-ms-request-id": str(members["trace_id"])})

    def _struck(self, fault: Fault, call: EntraCall) -> Reply:
        """A fault's reply, in OAuth's form where it is JSON."""
        answer = stand_in(fault.name, fault.value, call.base)
        if isinstance(answer, EntraRefusalError):
            answer = self._refused(answer, call)
        if answer is None:
            answer = fault_reply(fault, call.ids)
            if answer.text is None:
                busy = entra_refusal("temporarily_unavailable")
                answer.body = error_members(busy, self.clock(), call.ids.client_request_id, call.base)
        answer.notes["fault"] = fault.name
        return answer


def _needed(form: Mapping[str, str], *names: str) -> str:
    """The first of these form members that is there."""
    for name in names:
        if form.get(name):
            return form[name]
    raise entra_refusal(900144, text=f"The request body must contain the parameter '{names[0]}'.")


def _discovery(authority: str) -> dict[str, Any]:
    """Addresses follow the name asked under; the issuer is always the same, since tokens bear it."""
    return {
        "issuer": ISSUER,
        "authorization_endpoint": f"{authority}/oauth2/v2.0/authorize",
        "token_endpoint": f"{authority}/oauth2/v2.0/token",
        "device_authorization_endpoint": f"{authority}/oauth2/v2.0/devicecode",
        "jwks_uri": f"{authority}/discovery/v2.0/keys",
        "token_endpoint_auth_methods_supported": ["none"],
        "response_types_supported": ["code"],
        "response_modes_supported": ["query", "fragment", "form_post"],
        "claims_parameter_supported": True,
        "subject_types_supported": ["pairwise"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "scopes_supported": ["openid", "profile", "email", "offline_access"],
        "tenant_region_scope": "EU",
        "cloud_instance_name": "copilot-mcp.test",
    }
