"""Claims challenges as JSON: what Graph or Entra wants proved before it gives or takes a token.

Both send them, one in a header and one in a body, and both are believed by this one rule.
"""

import json
from typing import Any

__all__ = ["MAX_CLAIMS", "believed_claims"]

MAX_CLAIMS = 8192
"""Characters of a challenge, whatever its form."""


def believed_claims(text: object) -> str | None:
    """The JSON text of a claims challenge as MSAL takes it; None unless it is an object whose `access_token` is one."""
    if not isinstance(text, str) or len(text) > MAX_CLAIMS:
        return None
    try:
        document: Any = json.loads(text)
    except (ValueError, RecursionError):
        return None
    fits = isinstance(document, dict) and isinstance(document.get("access_token"), dict)
    return json.dumps(document) if fits else None
