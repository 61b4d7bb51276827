"""The filter language of the Retrieval API: KQL for `filterExpression`, as a library of its own.

A filter that is not correct is not refused by the service: the search runs without it and sees everything. So this
package reads a filter with certainty or says why it cannot. Standard library only.

    properties = properties_for("sharePoint")
    parsed = parse('author:"Megan Bowen" filetype:docx', properties)
    parsed.canonical  # Author:"Megan Bowen" AND FileType:"docx"

The names here are the language. Who needs more finds it by topic in the modules without an underscore: `tree`,
`printer` and `tree_json` (the syntax tree and its two written forms), `properties`, `codes` (every diagnostic,
explained), `evidence` (what a hit proves about a filter), `names` (nicknames) and `links` (addresses of files).
"""

from .builder import Condition, Group, build
from .diagnostics import Diagnostic
from .explain import explain
from .match import Item, matches
from .parser import Parsed, parse
from .printer import normalise
from .properties import Properties, SchemaProperty, properties_for
from .tree import Node

__all__ = [
    "Condition",
    "Diagnostic",
    "Group",
    "Item",
    "Node",
    "Parsed",
    "Properties",
    "SchemaProperty",
    "build",
    "explain",
    "matches",
    "normalise",
    "parse",
    "properties_for",
]
