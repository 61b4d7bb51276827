"""Codes about operators, parentheses and filters that say something else than was meant."""

from .codes import CodeEntry

STRUCTURE_ROWS = (
    CodeEntry(
        "UNBALANCED_PAREN",
        "(FileType:pdf OR FileType:docx",
        "The parentheses do not come in pairs.",
        "Close what is open, or drop what was never opened, so that it groups what you mean.",
        'FileType:"pdf" OR FileType:"docx"',
    ),
    CodeEntry(
        "EMPTY_GROUP",
        "FileType:pdf AND ()",
        "A pair of parentheses has nothing in it.",
        "Remove the pair.",
        'FileType:"pdf"',
    ),
    CodeEntry(
        "DANGLING_OPERATOR",
        "FileType:pdf AND",
        "AND and OR need something on both sides, NOT something after it.",
        "Remove the operator, or write what is missing.",
        'FileType:"pdf"',
    ),
    CodeEntry(
        "DOUBLED_OPERATOR",
        "FileType:pdf AND OR Title:plan",
        "Two operators that join stand in a row.",
        "Keep the one that you mean.",
        'FileType:"pdf" AND Title:"plan"',
    ),
    CodeEntry(
        "DANGLING_SIGN",
        "FileType:pdf - Title:draft",
        "A plus or minus sign touches nothing. Only a sign glued to what follows requires or leaves out.",
        "Write AND or NOT.",
        'FileType:"pdf" AND NOT Title:"draft"',
    ),
    CodeEntry(
        "LOWERCASE_OPERATOR",
        "FileType:pdf or FileType:docx",
        "Operators are upper case. In lower case they are words to look for, and the restrictions beside them are "
        "joined in another way.",
        "Write AND, OR, NOT in capitals.",
        'FileType:"pdf" OR FileType:"docx"',
    ),
    CodeEntry(
        "FREE_TEXT",
        "budget AND FileType:xlsx",
        "A word or phrase belongs to no property. What the service would match it against is not documented. "
        "It is only a warning where free text is allowed.",
        "Put search words into `queryString`, or name the property they belong to.",
        'FileType:"xlsx"',
    ),
    CodeEntry(
        "AMBIGUOUS_IMPLICIT",
        'Author:"Megan Bowen" Author:"Adele Vance" AND FileType:pdf',
        "Two restrictions on one property stand side by side without an operator, next to explicit ones. "
        "The documents allow two readings.",
        "Write every operator, and parentheses around the alternatives.",
        '(Author:"Megan Bowen" OR Author:"Adele Vance") AND FileType:"pdf"',
    ),
    CodeEntry(
        "IMPLICIT_OR_RANGE",
        "LastModifiedTime>=2024-01-01 LastModifiedTime<=2024-06-30",
        "Restrictions on one property without an operator are alternatives. One bound OR the other lets everything in.",
        "Write AND between the bounds.",
        "LastModifiedTime>=2024-01-01 AND LastModifiedTime<=2024-06-30",
    ),
    CodeEntry(
        "VALUE_GROUP_INVALID",
        "LastModifiedTime:(today OR yesterday)",
        "`name:(\u2026)` takes only the values of a text property, and only the operator `:`.",
        "Write one restriction for each value.",
        "LastModifiedTime:today OR LastModifiedTime:yesterday",
    ),
    CodeEntry(
        "NESTING_TOO_DEEP",
        f"{'(' * 101}FileType:pdf{')' * 101}",
        "Parentheses and NOTs are nested more than 100 levels deep. This bound is ours.",
        "Take away the parentheses that group nothing.",
    ),
    CodeEntry(
        "IMPLICIT_OR",
        'Author:"Megan Bowen" Author:"Adele Vance"',
        "Restrictions on one property without an operator between them mean OR.",
        "Write OR.",
        'Author:"Megan Bowen" OR Author:"Adele Vance"',
    ),
    CodeEntry(
        "IMPLICIT_AND",
        'Author:"Megan Bowen" FileType:pdf',
        "Restrictions on different properties without an operator between them mean AND.",
        "Write AND.",
        'Author:"Megan Bowen" AND FileType:"pdf"',
    ),
    CodeEntry(
        "MIXED_AND_OR",
        "FileType:pdf OR FileType:docx AND Title:plan",
        "AND and OR are mixed without parentheses. Which binds tighter is not documented; AND is assumed.",
        "Put parentheses around what belongs together.",
        'FileType:"pdf" OR (FileType:"docx" AND Title:"plan")',
    ),
    CodeEntry(
        "SIGN_OPERATOR",
        "FileType:pdf -Title:draft",
        "A sign requires or leaves out. Sources disagree about the plus sign.",
        "Write NOT or AND.",
        'FileType:"pdf" AND NOT Title:"draft"',
    ),
    CodeEntry(
        "DOUBLE_NEGATION",
        "NOT NOT FileType:pdf",
        "NOT stands before NOT and undoes it.",
        "Leave both out.",
        'FileType:"pdf"',
    ),
    CodeEntry(
        "NEGATED_OR",
        "FileType<>pdf OR FileType<>docx",
        "Every item is either not the one or not the other, so nothing is left out.",
        "Join what is to be left out with AND.",
        'FileType<>"pdf" AND FileType<>"docx"',
    ),
    CodeEntry(
        "CONTRADICTION",
        "FileType:pdf AND FileType:docx",
        "Two different values are asked for of a property that has one, so nothing can match.",
        "Join alternatives with OR.",
        'FileType:"pdf" OR FileType:"docx"',
    ),
    CodeEntry(
        "OR_WINDOW",
        "LastModifiedTime>=2024-01-01 OR LastModifiedTime<=2024-06-30",
        "Every date is after the first bound or before the second, so everything matches.",
        "Join the two ends of a window with AND.",
        "LastModifiedTime>=2024-01-01 AND LastModifiedTime<=2024-06-30",
    ),
    CodeEntry(
        "VALUE_GROUP",
        "FileType:(pdf OR docx)",
        "SharePoint Online knows this form, but it is not documented for this filter.",
        "Send the canonical text, which repeats the property.",
        'FileType:"pdf" OR FileType:"docx"',
    ),
    CodeEntry(
        "FILTER_TOO_LONG",
        " OR ".join(f'Title:"project {number}"' for number in range(200)),
        "The expression has more than 4,096 characters. No limit is documented for this filter; SharePoint search "
        "refuses longer queries.",
        "Split the request, or filter by something that the items have in common.",
    ),
    CodeEntry(
        "PURE_NEGATION",
        "NOT FileType:pdf",
        "The filter only says what to leave out.",
        "Nothing to do, if that is meant.",
        'NOT FileType:"pdf"',
    ),
    CodeEntry(
        "DUPLICATE_CLAUSE",
        'FileType:"pdf" AND FileType:"PDF"',
        "The same restriction stands twice.",
        "Drop one.",
        'FileType:"pdf"',
    ),
)
