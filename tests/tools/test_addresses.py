"""File addresses: what may be sent, what a link stands for, and what is refused by its form."""

import pytest

from copilot_mcp.kql.links import AddressError, direct_address
from copilot_mcp.tools.addresses import file_address

HR = "https://contoso.sharepoint.com/sites/HR"
FILE = f"{HR}/Shared%20Documents/Leave.docx"
MINE = "https://contoso-my.sharepoint.com/personal/adele_contoso_com"
ASKED = "/sites/HR/Shared%20Documents/Leave.docx"
IN_QUERY = "%2Fsites%2FHR%2FShared%20Documents%2FLeave%2Edocx"


@pytest.mark.parametrize(
    "given",
    [
        FILE,
        f"{HR}/Shared Documents/Leave.docx",
        f"{HR}/Freigegebene Dokumente/Übersicht 100%.docx",
        f"{MINE}/Documents/Plan.docx",
        "https://contoso.sharepoint.us/sites/HR/Leave.docx",
        "https://contoso.sharepoint-mil.us/sites/HR/Leave.docx",
        "https://contoso.sharepoint.cn/sites/HR/Leave.docx",
        "https://contosoeur.sharepoint.com/sites/HR/Leave.docx",
    ],
)
def test_a_direct_address_stays_as_it_is(given: str) -> None:
    assert file_address(given) == given


@pytest.mark.parametrize(
    ("given", "stands_for"),
    [
        (f"  {FILE}\n", FILE),
        (f"HTTPS://Contoso.SharePoint.com:443{ASKED}", FILE),
        (f"{FILE}?web=1&d=w0123&csf=1&e=a1b2c3#page=2", FILE),
        (f"https://contoso.sharepoint.com/:w:/r{ASKED}?d=w0123&csf=1&web=1&e=4xYz", FILE),
        (f"https://contoso.sharepoint.com/:X:/R{ASKED}", FILE),
        (f"{HR}/Shared%20Documents/Forms/AllItems.aspx?id={IN_QUERY}&parent=%2Fsites%2FHR", FILE),
        (f"{HR}/Shared%20Documents/Forms/AllItems.aspx?RootFolder={IN_QUERY}", FILE),
        (f"{MINE}/_layouts/15/onedrive.aspx?id={IN_QUERY}&listurl={HR.replace(':', '%3A')}", FILE),
        (f"https://contoso.sharepoint.com/my?id={IN_QUERY}", FILE),
        (f"{HR}/_layouts/15/download.aspx?SourceUrl={IN_QUERY}", FILE),
        (f"{HR}/_layouts/15/WopiFrame.aspx?sourcedoc={IN_QUERY}&action=view", FILE),
        (f"https://contoso.sharepoint.com/:w:/r/sites/HR/_layouts/15/stream.aspx?id={IN_QUERY}", FILE),
        (f"ms-word:ofe|u|{FILE}", FILE),
        (f"ms-excel:ofv|u|{FILE}|n|x", FILE),
        (f"https://teams.microsoft.com/l/file/0?tenantId=1&objectUrl={FILE.replace('%', '%25')}&baseUrl=x", FILE),
        (f"https://nam01.safelinks.protection.outlook.com/?url={FILE.replace('%', '%25')}&data=x", FILE),
    ],
)
def test_a_link_that_spells_its_file_out_becomes_the_files_address(given: str, stands_for: str) -> None:
    assert file_address(given) == stands_for


@pytest.mark.parametrize(
    ("given", "stands_for"),
    [
        (f"{HR}/", f"{HR}/"),
        (HR, HR),
        ("https://contoso.sharepoint.com", "https://contoso.sharepoint.com"),
        ("https://contoso.sharepoint.com/:f:/r/sites/HR/Shared%20Documents?e=4x", f"{HR}/Shared%20Documents"),
        (f"{HR}/Shared%20Documents/Forms/AllItems.aspx", f"{HR}/Shared%20Documents"),
        (f"{HR}/Shared%20Documents/Forms/AllItems.aspx?viewid=1", f"{HR}/Shared%20Documents"),
    ],
)
def test_a_folder_or_site_keeps_its_form(given: str, stands_for: str) -> None:
    assert direct_address(given) == stands_for


@pytest.mark.parametrize(
    "given",
    [
        "https://contoso.sharepoint.com/:w:/s/HR/EaBcDeFgHiJkLm?e=4xYz",
        "https://contoso-my.sharepoint.com/:x:/g/personal/adele_contoso_com/EaBcDeFg",
        "https://contoso.sharepoint.com/:f:/t/HR/EaBcDeFg",
        "https://contoso-my.sharepoint.com/:p:/p/adele/EaBcDeFg",
        f"{HR}/_layouts/15/Doc.aspx?sourcedoc=%7B11111111-2222-3333-4444-555555555555%7D&file=Leave.docx",
        f"{HR}/_layouts/15/guestaccess.aspx?share=EaBcDeFg",
        f"{HR}/_layouts/15/download.aspx?UniqueId=11111111",
        "https://contoso-my.sharepoint.com/my",
    ],
)
def test_a_link_that_hides_its_file_says_where_to_copy_the_right_one(given: str) -> None:
    with pytest.raises(AddressError, match="open the Details of the file or folder and copy its path there"):
        file_address(given)


FOREIGN = [
    "http://169.254.169.254/metadata/identity",
    "https://169.254.169.254/metadata/identity",
    "https://127.0.0.1/a.docx",
    "https://localhost/a.docx",
    "https://[::1]/a.docx",
    "https://[::ffff:169.254.169.254]/a.docx",
    "https://0251.0376.0251.0376/a.docx",
    "https://2852039166/a.docx",
    "https://0xa9fea9fe/a.docx",
    "https://graph.microsoft.com/v1.0/me",
    "https://login.copilot-mcp.test/a.docx",
    "https://sharepoint.com/a.docx",
    "https://.sharepoint.com/a.docx",
    "https://-.sharepoint.com/a.docx",
    "https://a.b.sharepoint.com/a.docx",
    "https://contoso.sharepoint.com./a.docx",
    "https://contoso.sharepoint.com.evil.example/a.docx",
    "https://contososharepoint.com/a.docx",
    "https://evil.example/contoso.sharepoint.com/a.docx",
    "https://evil.example?contoso.sharepoint.com/a.docx",
    "https://evil.example#.sharepoint.com/a.docx",
    "https://contoso.sharepoint.com@evil.example/a.docx",
    "https://evil.example@contoso.sharepoint.com/a.docx",
    "https://user:pass@contoso.sharepoint.com/a.docx",
    "https://contoso.sharepoint.com:8443/a.docx",
    "https://contoso.sharepoint.com:/a.docx",
    "https://contoso.sharepoint.com\\@evil.example/a.docx",
    "https:\\\\contoso.sharepoint.com\\a.docx",
    "https:/contoso.sharepoint.com/a.docx",
    "https:contoso.sharepoint.com/a.docx",
    "//contoso.sharepoint.com/a.docx",
    "contoso.sharepoint.com/a.docx",
    "/sites/HR/a.docx",
    "http://contoso.sharepoint.com/a.docx",
    "ftp://contoso.sharepoint.com/a.docx",
    "file:///etc/passwd",
    "data:text/plain,a",
    "javascript:alert(1)",
    "https://xn--contoso-9ya.sharepoint.com/a.docx",
    "https://contosö.sharepoint.com/a.docx",
    "https://contoso。sharepoint。com/a.docx",
    "https://\uff43ontoso.sharepoint.com/a.docx",
    "https://contoso%2Esharepoint.com/a.docx",
    "https://contoso.sharepoint.com%00.evil.example/a.docx",
    "https://contoso.sharepoint.com\u200b/a.docx",
    "https://contoso.sharepoint.com/a\u202ecod.exe",
    "https://contoso.sharepoint.com/a\r\nHost: evil.example",
    "https://contoso.sharepoint.com/a%0d%0aHost:%20evil.example",
    "https://contoso.sharepoint.com/sites/HR/../../a.docx",
    "https://contoso.sharepoint.com/sites/HR/%2e%2e/a.docx",
    "https://1drv.ms/w/s!AaBb",
    "https://onedrive.live.com/edit.aspx?resid=1",
    "https://teams.microsoft.com/l/file/0?objectUrl=http%3A%2F%2F169.254.169.254%2F",
    "https://teams.microsoft.com/l/file/0",
    "https://nam01.safelinks.protection.outlook.com/?url=https%3A%2F%2Fevil.example%2Fa.docx",
    "https://safelinks.protection.outlook.com.evil.example/?url=https%3A%2F%2Fcontoso.sharepoint.com%2Fa.docx",
    "https://contoso-my.sharepoint.com/my?id=%2Fa.docx&listurl=https%3A%2F%2Fevil.example%2F",
    "https://contoso-my.sharepoint.com/my?id=%2Fsites%2F..%2Fa.docx",
    "ms-word:ofe|u|http://169.254.169.254/",
    "https://contoso.sharepoint.com/my?" + "a=1&" * 200,
    "https://contoso.sharepoint.com/" + "a" * 5_000,
    "https://contoso.sharepoint.com",
    "https://contoso.sharepoint.com/",
    f"{HR}/",
    "",
]
"""Addresses that could make somebody fetch, or leave the organisation; none of them may be sent."""


@pytest.mark.parametrize("given", FOREIGN)
def test_no_other_address_passes(given: str) -> None:
    with pytest.raises(AddressError):
        file_address(given)


def test_an_address_wrapped_for_ever_is_given_up() -> None:
    given = FILE
    for _ in range(5):
        given = f"https://nam01.safelinks.protection.outlook.com/?url={given.replace('%', '%25').replace('&', '%26')}"
    with pytest.raises(AddressError, match="wrapped too often"):
        direct_address(given)


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ("http://contoso.sharepoint.com/a.docx", "must be an absolute https address of SharePoint or OneDrive"),
        ("https://evil.example/a.docx", "is not on a SharePoint or OneDrive host, such as contoso.sharepoint.com."),
        ("https://1drv.ms/w/s!AaBb", "is in a personal OneDrive; only files of an organisation can be read."),
        (f"{HR}/C# notes.docx", "holds a #; write %23 where it is part of a name"),
        ("https://contoso.sharepoint.com/", "names no file; write the file's whole address."),
    ],
)
def test_a_refusal_says_what_is_wrong(given: str, sentence: str) -> None:
    with pytest.raises(AddressError) as caught:
        file_address(given)
    assert sentence in str(caught.value)
