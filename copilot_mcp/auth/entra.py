"""What MSAL does for us: sign-ins by device code, browser and broker, and refreshes.

MSAL works on a copy of the cache that is thrown away, and gets a new application each time, because an application
remembers answers (refusals for a minute, and successes where a gateway adds a header). Discovery documents are kept
by the adapter, so a new application costs about 0.1 ms and no network.

Synchronous methods run in a worker thread through `run`; the first of them pays for importing msal.
"""

import json
import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import CancelledError
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

import anyio
import anyio.to_thread

from copilot_mcp.auth.answers import Account, unreadable
from copilot_mcp.auth.broker import broker_flags, no_broker
from copilot_mcp.auth.cache_content import Content, msal_text
from copilot_mcp.auth.clouds import Cloud
from copilot_mcp.auth.library_logs import quiet_libraries
from copilot_mcp.auth.refusals import Asked, clock_skew, fault_error
from copilot_mcp.errors import AuthenticationError

if TYPE_CHECKING:
    import httpx

    from copilot_mcp.auth.msal_http import MsalHttp

__all__ = ["DeviceFlow", "Entra"]

logger = logging.getLogger(__name__)

WORKERS = 4
"""Threads for MSAL; the process's other forty are not ours to fill."""

_Result = TypeVar("_Result")


@dataclass(slots=True)
class DeviceFlow:
    """One sign-in under way: what MSAL needs to ask again, and the copy of the cache that its success fills."""

    answer: dict[str, Any] = field(repr=False)
    app: Any = field(repr=False)
    cache: Any = field(repr=False)
    claims: str | None = field(default=None, repr=False)

    def forget(self) -> None:
        """Drop the codes and tokens: it is over, and what was refused must not lie about in memory."""
        self.answer = {}
        self.app = self.cache = None


class Entra:
    """MSAL for one app in one tenant of one cloud."""

    def __init__(
        self,
        cloud: Cloud,
        tenant: str,
        client_id: str,
        http: "httpx.AsyncClient",
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.asked = Asked(cloud, tenant, client_id)
        self._http = http
        self._clock = clock
        self._lock = threading.Lock()
        self._adapter: MsalHttp | None = None
        self._limiter: anyio.CapacityLimiter | None = None

    async def run(self, work: Callable[[], _Result]) -> _Result:
        """Run `work` in one of our worker threads. When the caller is cancelled, its request is ended too."""
        if self._limiter is None:
            self._limiter = anyio.CapacityLimiter(WORKERS)
        return await anyio.to_thread.run_sync(work, limiter=self._limiter)

    def begin(self, names: Sequence[str], claims: str | None = None) -> DeviceFlow:
        """Ask for a device code for these permission names. The answer is not checked yet.

        `claims` is the JSON text of a claims challenge that this sign-in shall satisfy.

        Raises:
            AuthenticationError: Entra refused, or cannot be reached.
        """
        with self._msal(names):
            cache, app = self._application({})
            answer = app.initiate_device_flow(scopes=self._scopes(names), claims_challenge=claims)
            return DeviceFlow(answer, app, cache, claims)

    def poll(self, flow: DeviceFlow) -> dict[str, Any]:
        """Ask once whether the person has decided; the answer may hold an `error`.

        Raises:
            AuthenticationError: No usable answer came.
        """
        with self._msal(()):
            # The pace is kept by the caller; MSAL would warn by a clock of its own.
            flow.answer.pop("latest_attempt_at", None)
            answer: dict[str, Any] = flow.app.acquire_token_by_device_flow(
                flow.answer, claims_challenge=flow.claims, exit_condition=lambda _: True
            )
            return answer

    def begin_browser(self, names: Sequence[str], redirect_uri: str, claims: str | None = None) -> DeviceFlow:
        """Prepare an authorization request with PKCE, state and nonce, answered by a form. Asks nobody but discovery.

        Raises:
            AuthenticationError: Entra cannot be reached.
        """
        with self._msal(names):
            cache, app = self._application({})
            answer = app.initiate_auth_code_flow(
                self._scopes(names),
                redirect_uri=redirect_uri,
                prompt="select_account",
                claims_challenge=claims,
                response_mode="form_post",
            )
            return DeviceFlow(answer, app, cache, claims)

    def redeem(self, flow: DeviceFlow, answer: dict[str, str]) -> dict[str, Any]:
        """Redeem what the browser brought; the result may hold an `error`.

        Raises:
            AuthenticationError: No usable answer came.
        """
        with self._msal(()):
            tokens: dict[str, Any] = flow.app.acquire_token_by_auth_code_flow(flow.answer, answer)
            return tokens

    def begin_broker(self, names: Sequence[str], claims: str | None = None) -> DeviceFlow:
        """Prepare a sign-in by the system's broker. Asks nobody but discovery.

        Raises:
            AuthenticationError: Entra cannot be reached.
        """
        with self._msal(names):
            cache, app = self._application({}, broker=True)
            return DeviceFlow({}, app, cache, claims)

    def ask_broker(self, flow: DeviceFlow, names: Sequence[str]) -> dict[str, Any]:
        """Let the broker sign the person in: blocks until they are done, and nothing can end it.

        Raises:
            SettingsError: MSAL was about to open a browser instead.
            AuthenticationError: No usable answer came.
        """
        browsers: list[str] = []

        def before(ui: str = "", **_: Any) -> None:
            if ui != "broker":
                browsers.append(ui)
                raise RuntimeError

        try:
            with self._msal(names):
                answer: dict[str, Any] = flow.app.acquire_token_interactive(
                    self._scopes(names),
                    prompt="select_account",
                    claims_challenge=flow.claims,
                    parent_window_handle=flow.app.CONSOLE_WINDOW_HANDLE,
                    on_before_launching_ui=before,
                )
                return answer
        except AuthenticationError:
            if browsers:
                raise no_broker("MSAL falls back to a browser") from None
            raise

    def signed_in(self, flow: DeviceFlow) -> tuple[Content, str]:
        """What a success left in the copy of the cache: its content, and MSAL's key of the account.

        Raises:
            AuthenticationError: There is not exactly one account (`bad_answer`).
        """
        with self._msal(()):
            (account,) = flow.app.get_accounts()
            return _content(flow.cache), str(account["home_account_id"])

    def refresh(
        self, content: Content, account: Account, names: Sequence[str], claims: str | None = None
    ) -> tuple[dict[str, Any], Content]:
        """Redeem the refresh token for these permission names, with the JSON text of a claims challenge if any.

        Gives the answer, which may hold an `error`, and the content with the new tokens in it.

        Raises:
            AuthenticationError: No usable answer came.
        """
        with self._msal(names):
            cache, app = self._application(content)
            chosen = [one for one in app.get_accounts() if one["home_account_id"] == account.home_account_id]
            if not chosen:
                return {"error": "login_required"}, content
            answer = app.acquire_token_silent_with_error(
                self._scopes(names), chosen[0], force_refresh=True, claims_challenge=claims
            )
            # None means that there is no refresh token.
            return answer or {"error": "login_required"}, _content(cache)

    def tenant_id(self, flow: DeviceFlow) -> str:
        """The directory that Entra resolved our tenant setting to; not an id for `organizations`."""
        return str(flow.app.authority.tenant)

    def _scopes(self, names: Sequence[str]) -> list[str]:
        return [self.asked.cloud.scope(name) for name in sorted(names)]

    def _application(self, content: Content, *, broker: bool = False) -> tuple[Any, Any]:
        from copilot_mcp.auth.msal_http import MsalHttp

        quiet_libraries()  # before its first call: msal logs answers with the tokens in them
        import msal

        with self._lock:
            if self._adapter is None:
                self._adapter = MsalHttp(self._http, self.asked.cloud.authority, clock=self._clock)
        cache = msal.SerializableTokenCache()
        cache.deserialize(msal_text(content))
        app = msal.PublicClientApplication(
            self.asked.client_id,
            authority=f"{self.asked.cloud.authority}/{self.asked.tenant}",
            instance_discovery=False,
            http_client=self._adapter,
            token_cache=cache,
            **(broker_flags() if broker or _is_brokered(content) else {}),
            client_capabilities=["cp1"],  # Graph may revoke at once, and answers with claims that `graph` hands on
        )
        return cache, app

    @contextmanager
    def _msal(self, names: Sequence[str]) -> Iterator[None]:
        """Around every call of MSAL: whatever it raises becomes an error that quotes no answer."""
        from copilot_mcp.auth.msal_http import AuthorityFaultError

        try:
            yield
        except AuthorityFaultError as fault:
            asked = self.asked.by("", names)
            raise fault_error(fault.kind, fault.host, fault.retry_after, fault.oauth, asked) from None
        except Exception as error:
            # MSAL fails in many ways on an answer it did not expect; the exception may hold that answer.
            if not isinstance(error, CancelledError):  # of the request, by whoever waited for it
                logger.warning("The sign-in library failed on an answer (%s).", type(error).__name__)
            if self._adapter is not None and self._adapter.skew_minutes:
                raise clock_skew(self._adapter.skew_minutes) from None
            raise unreadable("the sign-in library failed on it") from None


def _is_brokered(content: Content) -> bool:
    """Whether the saved account was signed in by the broker, which then also has to refresh it."""
    return any(entry.get("account_source") == "broker" for entry in content.get("Account", {}).values())


def _content(cache: Any) -> Content:
    content: Content = json.loads(cache.serialize())
    return content
