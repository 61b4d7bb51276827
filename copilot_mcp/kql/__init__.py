"""The filter language of the Retrieval API: KQL for `filterExpression`, as a library of its own.

A filter that is not correct is not refused by the service: the search runs without it and sees everything. So this
package reads a filter with certainty or says why it cannot. Standard library only.

    properties = properties_for("sharePoint")
    parsed = parse('author:"Megan Bowen" filetype:docx', properties)
    parsed.canonical  # Author:"Megan Bowen" AND FileType:"docx"
"""

from ._links import AddressError, direct_address
from .builder import Built, Condition, ConditionOperator, Group, build
from .codes import CodeEntry, code_table, codes_page
from .diagnostics import CODES, Diagnostic
from .evidence import Verdict, asked_for_proof, verdict
from .explain import explain
from .match import Item, judge, matches
from .names import NAME_KINDS, Names
from .parser import Parsed, parse
from .printer import normalise, to_kql
from .properties import DATA_SOURCES, Properties, Property, SchemaProperty, properties_for
from .tree import Node, walk
from .tree_json import from_json, to_json

__all__ = [
    "CODES",
    "DATA_SOURCES",
    "NAME_KINDS",
    "AddressError",
    "Built",
    "CodeEntry",
    "Condition",
    "ConditionOperator",
    "Diagnostic",
    "Group",
    "Item",
    "Names",
    "Node",
    "Parsed",
    "Properties",
    "Property",
    "SchemaProperty",
    "Verdict",
    "asked_for_proof",
    "build",
    "code_table",
    "codes_page",
    "direct_address",
    "explain",
    "from_json",
    "judge",
    "matches",
    "normalise",
    "parse",
    "properties_for",
    "to_json",
    "to_kql",
    "verdict",
    "walk",
]
