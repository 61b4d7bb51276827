"""What can be wrong with a filter: one code for each, with its severity.

A code is never reused for another rule. `error` means that the service would run the search without the filter or
with another one, so the text must not be sent; `warning` that only the canonical text may be sent.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from .tree import Node

__all__ = ["CODES", "Diagnostic", "Severity"]

Severity: TypeAlias = Literal["error", "warning", "information"]

_ERRORS = """
    EMPTY_FILTER UNBALANCED_QUOTE UNBALANCED_PAREN EMPTY_GROUP EMPTY_VALUE DANGLING_OPERATOR DOUBLED_OPERATOR
    DANGLING_SIGN LOWERCASE_OPERATOR SPACE_IN_RESTRICTION UNQUOTED_MULTIWORD QUOTED_FILTER SMART_QUOTES SINGLE_QUOTES
    ESCAPED_QUOTE JSON_ESCAPED_QUOTES ENCODED_QUOTES TRAILING_BACKSLASH JUNK_AFTER_QUOTE STRAY_QUOTE BACKTICK
    UNICODE_LOOKALIKE CONTROL_CHARACTER BAD_OPERATOR MISSING_PROPERTY C_STYLE_OPERATOR FOREIGN_OPERATOR FUNCTION_CALL
    PAREN_IN_VALUE UNSUPPORTED_OPERATOR LUCENE_SYNTAX QUERY_VARIABLE COMMA_LIST BARE_URL UNKNOWN_PROPERTY NOT_QUERYABLE
    CONNECTION_IN_FILTER OPERATOR_TYPE_MISMATCH BAD_DATE RELATIVE_DATE_UNSUPPORTED BAD_NUMBER BAD_BOOLEAN
    RANGE_INCOMPLETE RANGE_OPERATOR RANGE_REVERSED IMPLICIT_OR_RANGE AMBIGUOUS_IMPLICIT VALUE_GROUP_INVALID
    LEADING_WILDCARD INNER_WILDCARD EXISTS_NOT_TEXT LEADING_DOT BAD_EXTENSION BAD_GUID PATH_NO_SCHEME PATH_SHARING_LINK
    PATH_BACKSLASH RESTRICTION_TOO_LONG FREE_TEXT NESTING_TOO_DEEP UNREPRESENTABLE_VALUE BAD_CONDITION
"""
_WARNINGS = """
    SPACE_BEFORE_COMPARISON SPACE_AFTER_COMPARISON UNUSUAL_WHITESPACE UNDOCUMENTED_PROPERTY PROPERTY_UNVERIFIED
    INTERVAL_COMPARISON OR_WINDOW IMPLICIT_OR IMPLICIT_AND MIXED_AND_OR SIGN_OPERATOR DOUBLE_NEGATION NEGATED_OR
    CONTRADICTION VALUE_GROUP EXACT_WITH_WILDCARD QUESTION_MARK_WILDCARD SQL_WILDCARD FILETYPE_FRIENDLY_NAME
    PATH_NO_TRAILING_SLASH PATH_WILDCARD PATH_NOT_HTTPS PATH_PERCENT_ENCODED PATH_NOT_EQUAL DATASOURCE_PATH_MISMATCH
    NON_HEX_GUID FILENAME_HAS_PATH FILTER_TOO_LONG
"""
_INFORMATION = """
    UNQUOTED_TEXT PURE_NEGATION DUPLICATE_CLAUSE DATE_ONLY_BOUND NON_CANONICAL_SPELLING EXACT_WANTED
"""

CODES: dict[str, Severity] = {
    **dict.fromkeys(_ERRORS.split(), "error"),
    **dict.fromkeys(_WARNINGS.split(), "warning"),
    **dict.fromkeys(_INFORMATION.split(), "information"),
}
"""Every code with its severity. FREE_TEXT is a warning where free text is allowed."""

MAX_FINDINGS = 2_000
RANK = {"error": 0, "warning": 1, "information": 2}


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One finding.

    Attributes:
        code: a stable name out of `CODES`.
        start: first code point of the source it is about, counted from 0.
        end: the code point after the last.
        suggestion: a whole new filter text that parses without error; to be offered, never applied silently.
    """

    code: str
    severity: Severity
    message: str
    start: int = 0
    end: int = 0
    suggestion: str | None = None

    def as_dict(self) -> dict[str, Any]:
        """As plain data; `suggestion` is left out where there is none."""
        data = {
            "code": self.code,
            "severity": self.severity,
            "message": self.message,
            "start": self.start,
            "end": self.end,
        }
        return data if self.suggestion is None else {**data, "suggestion": self.suggestion}


Rewrite: TypeAlias = Callable[[Node], Node | None]


@dataclass(frozen=True, slots=True)
class Finding:
    """A diagnostic before suggestions are worked out. `rewrite` turns the tree that was read into a better one."""

    code: str
    message: str
    start: int
    end: int
    severity: Severity
    rewrite: Rewrite | None = None


@dataclass(slots=True)
class Notes:
    """Collects findings; past a bound only those with a new code, the rest counted in `dropped`.

    `failed` turns True with the first error, `repairable` turns False once something was read whose meaning cannot
    be guessed.
    """

    allow_free_text: bool = False
    findings: list[Finding] = field(default_factory=list)
    repairable: bool = True
    failed: bool = False
    dropped: int = 0
    codes: set[str] = field(default_factory=set)

    def add(self, code: str, span: tuple[int, int], message: str, rewrite: Rewrite | None = None) -> None:
        """Note one finding."""
        severity = CODES[code]
        if code == "FREE_TEXT" and self.allow_free_text:
            severity = "warning"
        self.failed = self.failed or severity == "error"
        if len(self.findings) < MAX_FINDINGS or code not in self.codes:
            self.codes.add(code)
            self.findings.append(Finding(code, message, span[0], span[1], severity, rewrite))
        else:
            self.dropped += 1
