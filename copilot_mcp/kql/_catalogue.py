"""Property names as Microsoft documents them, and the names people type instead.

Two lists: the ten properties that the Retrieval API supports for SharePoint and OneDrive, and managed properties
that are queryable elsewhere, which may work and which Microsoft does not support here.
"""

import re

# name, type, match class, example
SUPPORTED = (
    ("Author", "text", "words", 'Author:"Megan Bowen"'),
    ("FileExtension", "text", "extension", 'FileExtension:"docx"'),
    ("Filename", "text", "filename", 'Filename:"Mission Statement.docx"'),
    ("FileType", "text", "extension", 'FileType:"pdf"'),
    (
        "InformationProtectionLabelId",
        "text",
        "guid",
        'InformationProtectionLabelId:"11111111-2222-3333-4444-555555555555"',
    ),
    ("LastModifiedTime", "date", "date", "LastModifiedTime>=2025-01-01"),
    ("ModifiedBy", "text", "words", 'ModifiedBy:"Adele Vance"'),
    ("Path", "text", "path", 'Path:"https://contoso.sharepoint.com/sites/HR/"'),
    ("SiteID", "text", "guid", 'SiteID:"11111111-2222-3333-4444-555555555555"'),
    ("Title", "text", "words", 'Title:"travel policy"'),
)

_TEXT = (
    "AssignedTo CreatedBy ContentType ContentTypeId ContentClass ListID WebId SPSiteURL SiteName Site SiteTitle "
    "ParentLink DepartmentId RelatedHubSites ModifierNames"
)
KNOWN_ELSEWHERE = {
    name.casefold(): (name, kind)
    for kind, names in (
        ("text", _TEXT),
        ("date", "Created Write"),
        ("yesno", "IsDocument IsHubSite"),
        ("integer", "Size"),
    )
    for name in names.split()
}
# Queried by their whole value.
WHOLE_VALUE = frozenset({"SPSiteURL"})

REFINABLE = (
    (re.compile(r"refinablestring([0-9]{2,3})"), "RefinableString", "text"),
    (re.compile(r"refinablestringwbofffirst([0-9]{2})"), "RefinableStringWbOffFirst", "text"),
    (re.compile(r"refinabledate([0-9]{2})"), "RefinableDate", "date"),
    (re.compile(r"refinableint([0-9]{2})"), "RefinableInt", "integer"),
    (re.compile(r"refinabledecimal([0-9]{2})"), "RefinableDecimal", "number"),
    (re.compile(r"refinabledouble([0-9]{2})"), "RefinableDouble", "number"),
)
# Automatic column properties are Text whatever the column holds.
COLUMN = re.compile(
    r"(?:.+ows(?:text|mtxt|chcs|chcm|nmbr|curr|date|bool|user|urlh|html|imge|link|intg|guid|chcg|ctid|ravg|rcnt)"
    r"|owstaxid.+)",
    re.IGNORECASE,
)

INSTEAD = {
    typed.casefold(): name
    for name, names in {
        "LastModifiedTime": "Created Modified LastModified ModifiedDate ModifiedTime LastModifiedDate DateModified",
        "FileExtension": "Extension Ext",
        "FileType": "Type DocType",
        "Filename": "Name File",
        "Path": "Url Folder Location SiteUrl Directory",
        "SiteID": "SiteGuid",
        "InformationProtectionLabelId": "Label LabelId SensitivityLabel Sensitivity",
        "ModifiedBy": "Editor LastModifiedBy",
        "Author": "CreatedBy Creator Owner AuthorName",
        "Title": "Subject Heading",
    }.items()
    for typed in names.split()
}
# Near in meaning among the ten, for names that are known but not supported here.
SUPPORTED_INSTEAD = {
    "Created": "LastModifiedTime",
    "Write": "LastModifiedTime",
    "CreatedBy": "Author",
    "ModifierNames": "ModifiedBy",
    "SPSiteURL": "Path",
    "ParentLink": "Path",
}
CONNECTION_NAMES = frozenset({"connectionid", "connectionids", "connectorid", "contentsource"})
CONNECTOR_NAME_LIMIT = 32
