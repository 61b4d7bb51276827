"""Simulated Entra: discovery, keys, device codes and tokens in Entra's wire form."""

import base64
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final
from uuid import uuid4

from copilot_mcp.simulator.faults import Faults
from copilot_mcp.simulator.replies import Reply, RequestIds, fault_reply
from copilot_mcp.simulator.sign_ins import DEVICE_CODE_LIFETIME_S, EntraRefusalError, Grant, SignIns
from copilot_mcp.simulator.tokens import ACCESS_TOKEN_LIFETIME_S, GRAPH_RESOURCE, ISSUER, TENANT_ID, Tokens

__all__ = ["DEVICE_CODE_GRANT", "ENTRA_PATHS", "Entra", "EntraCall"]

DEVICE_CODE_GRANT: Final = "urn:ietf:params:oauth:grant-type:device_code"
ENTRA_PATHS: Final[Mapping[str, tuple[str, str]]] = {
    "v2.0/.well-known/openid-configuration": ("discovery", "GET"),
    "discovery/v2.0/keys": ("keys", "GET"),
    "oauth2/v2.0/devicecode": ("devicecode", "POST"),
    "oauth2/v2.0/token": ("token", "POST"),
}
_TENANTS: Final = frozenset({TENANT_ID, "organizations", "contoso.example", "contoso.onmicrosoft.com"})
_STATUS: Final = {"invalid_client": 401}


@dataclass(frozen=True, slots=True)
class EntraCall:
    """One request to Entra. `base` is the address it was asked under, `approval_page` where codes are typed."""

    operation: str
    tenant: str
    form: Mapping[str, str]
    base: str
    approval_page: str
    ids: RequestIds


@dataclass(frozen=True, slots=True)
class Entra:
    """Entra's operations over one tenant's sign-ins."""

    sign_ins: SignIns
    tokens: Tokens
    faults: Faults
    clock: Callable[[], float]

    def answer(self, call: EntraCall) -> Reply:
        """Carry out one request; every refusal comes back in Entra's shape."""
        struck = self.faults.take(call.operation, "answer")
        if struck:
            return _struck(fault_reply(struck[0], call.ids), struck[0].name)
        try:
            if call.tenant.casefold() not in _TENANTS:
                raise EntraRefusalError("invalid_tenant", 90002, "The tenant was not found.")
            match call.operation:
                case "discovery":
                    return Reply(200, _discovery(f"{call.base}/{call.tenant}"))
                case "keys":
                    return Reply(200, self.tokens.jwks())
                case "devicecode":
                    return self._device_code(call)
                case _:
                    return self._token(call.form)
        except EntraRefusalError as refusal:
            return self._refused(refusal, call)

    def _device_code(self, call: EntraCall) -> Reply:
        form = call.form
        device_code, pending = self.sign_ins.start(_needed(form, "client_id"), _needed(form, "scope"))
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

    def _token(self, form: Mapping[str, str]) -> Reply:
        client_id = _needed(form, "client_id")
        match _needed(form, "grant_type"):
            case "refresh_token":
                grant = self.sign_ins.refresh(_needed(form, "refresh_token"), client_id, form.get("scope", ".default"))
            case kind if kind == DEVICE_CODE_GRANT:
                grant = self.sign_ins.redeem(_needed(form, "device_code", "code"), client_id)
            case _:
                raise EntraRefusalError("unsupported_grant_type", 70003, "The grant type is not supported.")
        return Reply(200, self._tokens_for(grant), notes={"user": grant.user.key})

    def _tokens_for(self, grant: Grant) -> dict[str, Any]:
        info = json.dumps({"uid": grant.user.id, "utid": TENANT_ID}).encode()
        return {
            "token_type": "Bearer",
            "scope": " ".join((*grant.echo, "openid", "profile")),
            "expires_in": ACCESS_TOKEN_LIFETIME_S,
            "ext_expires_in": ACCESS_TOKEN_LIFETIME_S,
            "access_token": self.tokens.access_token(grant.user, grant.client_id, GRAPH_RESOURCE, list(grant.scopes)),
            "refresh_token": self.sign_ins.refresh_token(grant),
            "id_token": self.tokens.id_token(grant.user, grant.client_id),
            "client_info": base64.urlsafe_b64encode(info).rstrip(b"=").decode(),
        }

    def _refused(self, refusal: EntraRefusalError, call: EntraCall) -> Reply:
        stamp = datetime.fromtimestamp(self.clock(), UTC).strftime("%Y-%m-%d %H:%M:%SZ")
        trace_id, correlation_id = str(uuid4()), call.ids.client_request_id
        lines = (str(refusal), f"Trace ID: {trace_id}", f"Correlation ID: {correlation_id}", f"Timestamp: {stamp}")
        body = {
            "error": refusal.error,
            "error_description": " ".join(lines),
            "error_codes": [refusal.code],
            "timestamp": stamp,
            "trace_id": trace_id,
            "correlation_id": correlation_id,
            "error_uri": f"{call.base}/error?code={refusal.code}",
        }
        if refusal.suberror:
            body["suberror"] = refusal.suberror
        return Reply(_STATUS.get(refusal.error, 400), body)


def _needed(form: Mapping[str, str], *names: str) -> str:
    """The first of these form members that is there."""
    for name in names:
        if form.get(name):
            return form[name]
    raise EntraRefusalError("invalid_request", 900144, f"The request body must contain the parameter '{names[0]}'.")


def _struck(reply: Reply, name: str) -> Reply:
    """A fault's reply, in OAuth's form where it is JSON."""
    reply.notes["fault"] = name
    if reply.text is None:
        reply.body = {
            "error": "temporarily_unavailable",
            "error_description": "The service is busy.",
            "error_codes": [],
        }
    return reply


def _discovery(authority: str) -> dict[str, Any]:
    """Addresses follow the name asked under; the issuer is always the same, since tokens bear it."""
    return {
        "issuer": ISSUER,
        "authorization_endpoint": f"{authority}/oauth2/v2.0/authorize",
        "token_endpoint": f"{authority}/oauth2/v2.0/token",
        "device_authorization_endpoint": f"{authority}/oauth2/v2.0/devicecode",
        "jwks_uri": f"{authority}/discovery/v2.0/keys",
        "token_endpoint_auth_methods_supported": ["none"],
        "response_types_supported": ["code", "id_token"],
        "subject_types_supported": ["pairwise"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "scopes_supported": ["openid", "profile", "email", "offline_access"],
        "tenant_region_scope": "EU",
        "cloud_instance_name": "copilot-mcp.test",
    }
