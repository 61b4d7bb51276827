"""Codes about property names, and about the spaces and operators that go with them."""

from .codes import CodeEntry

PROPERTIES_ROWS = (
    CodeEntry(
        "EMPTY_VALUE",
        "Author:",
        "A property and its operator stand without a value.",
        "Give a value, or write `Author:*` to ask whether there is one.",
        "Author:*",
    ),
    CodeEntry(
        "SPACE_IN_RESTRICTION",
        'Author: "Megan Bowen"',
        "White space beside `:` or `=` takes the restriction apart: name and value become search words.",
        "Write name, operator and value without a space.",
        'Author:"Megan Bowen"',
    ),
    CodeEntry(
        "UNQUOTED_MULTIWORD",
        "Author:Megan Bowen",
        "Only the first word belongs to the property; the others become search words.",
        "Put quotes around the whole value.",
        'Author:"Megan Bowen"',
    ),
    CodeEntry(
        "MISSING_PROPERTY",
        ">=2024-01-01",
        "An operator and a value stand without the name of a property.",
        "Write the name before the operator.",
    ),
    CodeEntry(
        "BARE_URL",
        "https://contoso.sharepoint.com/sites/HR/",
        "An address stands without a property and would be looked for as text.",
        'Write `Path:"\u2026"`.',
        'Path:"https://contoso.sharepoint.com/sites/HR/"',
    ),
    CodeEntry(
        "UNKNOWN_PROPERTY",
        "Modified>=2024-01-01",
        "The data source has no property of this name. The service may read the restriction as words, or drop the "
        "whole filter.",
        "Use one of the ten supported properties, or a queryable property of the connection's schema.",
        "LastModifiedTime>=2024-01-01",
    ),
    CodeEntry(
        "NOT_QUERYABLE",
        "Draft:true",
        "The connection's schema has the property, but does not mark it queryable, or gives it a name that no filter "
        "can spell, as one that begins with a digit.",
        "Filter by another property, or change the schema.",
        data_source="externalItem",
    ),
    CodeEntry(
        "CONNECTION_IN_FILTER",
        'ConnectionId:ContosoHR AND Title:"leave"',
        "Which connection is searched is chosen outside the filter.",
        "Name it in `dataSourceConfiguration.externalItem.connections`.",
        'Title:"leave"',
    ),
    CodeEntry(
        "OPERATOR_TYPE_MISMATCH",
        "Title>=M",
        "The operator is not for values of this type: text and true/false have no order and no ranges.",
        "Use `:`, `=` or `<>`, or a property that holds a date or a number.",
    ),
    CodeEntry(
        "EXISTS_NOT_TEXT",
        "LastModifiedTime:*",
        "`name:*` asks whether there is a value, which works for text properties only.",
        "Give a bound that every value satisfies.",
        "LastModifiedTime>=1900-01-01",
    ),
    CodeEntry(
        "RESTRICTION_TOO_LONG",
        f'Title:"{"budget " * 300}"',
        "One restriction has more than 2,048 characters, the limit of the language.",
        "Shorten the value.",
    ),
    CodeEntry(
        "UNREPRESENTABLE_VALUE",
        '{"property": "Title", "operator": "equals", "values": ["the 12\\" pipe"]}',
        "A typed condition has a value that the language cannot write: a double quote, a star, a control character "
        "or a backslash at the end.",
        "Leave that character out; for a prefix ask with startsWith.",
    ),
    CodeEntry(
        "BAD_CONDITION",
        '{"property": "LastModifiedTime", "operator": "between", "values": ["2024-01-01"]}',
        "A typed condition has an unknown operator or the wrong number of values.",
        "between takes two values, hasValue none, a bound one, the others at least one.",
    ),
    CodeEntry(
        "SPACE_BEFORE_COMPARISON",
        "LastModifiedTime >=2024-07-22",
        "White space stands before a comparison. The service's own check is known to reject that.",
        "Send the canonical text, which has no space.",
        "LastModifiedTime>=2024-07-22",
    ),
    CodeEntry(
        "SPACE_AFTER_COMPARISON",
        "LastModifiedTime>= 2024-07-22",
        "White space stands after a comparison. A published sample has it, the language does not allow it.",
        "Send the canonical text, which has no space.",
        "LastModifiedTime>=2024-07-22",
    ),
    CodeEntry(
        "UNDOCUMENTED_PROPERTY",
        "Created>=2024-01-01",
        "A SharePoint property that is not among the ten supported ones. It may filter, and it may not.",
        "Use the nearest supported property where it serves.",
        "LastModifiedTime>=2024-01-01",
    ),
    CodeEntry(
        "PROPERTY_UNVERIFIED",
        'Status:"open"',
        "Without the connection's schema neither name nor type can be checked.",
        "Look up the schema; names and types must be exact.",
        data_source="externalItem",
    ),
    CodeEntry(
        "NON_CANONICAL_SPELLING",
        'author:"Megan Bowen"',
        "The property is usually spelt in another way. Case does not matter.",
        "Nothing to do; the canonical text has the usual spelling.",
        'Author:"Megan Bowen"',
    ),
    CodeEntry(
        "UNQUOTED_TEXT",
        "FileType:pdf",
        "The value is text without quotes, which is right for a single word.",
        "Nothing to do; the canonical text has quotes.",
        'FileType:"pdf"',
    ),
)
