"""Any folder becomes a tenant."""

import os
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from copilot_mcp.simulator import Simulator, load_folder
from copilot_mcp.simulator.folder import MAX_FILE_BYTES
from copilot_mcp.simulator.tenant import LeftOut

PAGE = """<!DOCTYPE html><html><head><title>Badge
 rules</title><style>p{}</style></head><body><nav>skip</nav>
<h1>Badges</h1><p>Wear your   badge.</p><ul><li>Always</li></ul><script>evil()</script></body></html>"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two top folders, a root file, and much that must be left out."""
    (tmp_path / "HR" / "Policies").mkdir(parents=True)
    (tmp_path / "Secret").mkdir()
    (tmp_path / ".git").mkdir()
    (tmp_path / "readme.md").write_text("# Welcome\n\nHello.")
    (tmp_path / "HR" / "Policies" / "leave 1.md").write_text(
        "---\ntitle: Leave\nauthor: [Adele Vance, Lee Gu]\nms.date: 07/23/2026\nlabel: Confidential\n---\nTwenty days."
    )
    (tmp_path / "HR" / "badge.html").write_text(PAGE)
    (tmp_path / "Secret" / "plan.txt").write_text("The plan.")
    (tmp_path / "Secret" / "broken.md").write_bytes(b"\xff\xfe\xff")
    (tmp_path / "Secret" / "huge.md").write_bytes(b"x" * (MAX_FILE_BYTES + 1))
    (tmp_path / ".git" / "config.md").write_text("hidden")
    (tmp_path / "HR" / ".draft.md").write_text("hidden")
    (tmp_path / "HR" / "photo.png").write_bytes(b"\x89PNG")
    os.utime(tmp_path / "readme.md", (1_700_000_000, 1_700_000_000))
    return tmp_path


def test_folders_become_sites_and_files_documents(folder: Path) -> None:
    tenant = load_folder(str(folder))

    facts = {each.url: (each.title, each.site, each.author, each.extension) for each in tenant.documents}
    assert facts == {
        "https://contoso.sharepoint.com/sites/Documents/Shared Documents/readme.md": ("Welcome", "Documents", (), "md"),
        "https://contoso.sharepoint.com/sites/HR/Shared Documents/badge.html": ("Badge rules", "HR", (), "html"),
        "https://contoso.sharepoint.com/sites/HR/Shared Documents/Policies/leave 1.md": (
            "Leave",
            "HR",
            ("Adele Vance", "Lee Gu"),
            "md",
        ),
        "https://contoso.sharepoint.com/sites/Secret/Shared Documents/plan.txt": ("plan", "Secret", (), "txt"),
    }
    assert tenant.skipped == 2
    assert not tenant.fiction


def test_dates_labels_and_page_text_are_read(folder: Path) -> None:
    documents = {each.filename: each for each in load_folder(str(folder)).documents}

    assert documents["leave 1.md"].modified == datetime(2026, 7, 23, tzinfo=UTC)
    assert documents["leave 1.md"].label is not None
    assert documents["leave 1.md"].label.name == "Confidential"
    assert documents["leave 1.md"].modified_by == "Adele Vance"
    assert documents["readme.md"].modified == datetime.fromtimestamp(1_700_000_000, UTC)
    assert documents["badge.html"].body == "# Badges\n\nWear your badge.\n\n- Always"


def test_the_second_person_may_not_read_the_last_folder(folder: Path) -> None:
    tenant = load_folder(str(folder))
    adele, megan = tenant.users

    readable = {each.site for each in tenant.documents if tenant.may_read(megan, each)}

    assert readable == {"Documents", "HR"}
    assert len(tenant.readable_by(adele)) == len(tenant.documents)
    assert 'Megan Bowen may not read "Secret"' in tenant.about


def test_links_out_of_the_folder_are_not_followed(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    outside = tmp_path_factory.mktemp("outside")
    (outside / "private.md").write_text("# Private")
    (folder / "HR" / "link.md").symlink_to(outside / "private.md")
    (folder / "HR" / "linked").symlink_to(outside)
    (folder / "HR" / "inside.md").symlink_to(folder / "readme.md")

    names = {each.filename for each in load_folder(str(folder)).documents}

    assert names == {"readme.md", "badge.html", "leave 1.md", "plan.txt", "inside.md"}


def test_what_is_left_out_is_told_with_its_reason_and_up_to_three_names(folder: Path) -> None:
    for number in range(4):
        (folder / f"latin{number}.txt").write_bytes(b"caf\xe9")
    (folder / "a\x1bb.md").symlink_to(folder / "nothing.md")

    tenant = load_folder(folder)

    secret = os.path.join("Secret", "broken.md")
    assert tenant.left_out == (
        LeftOut("not to be read", 1, ("a\ufffdb.md",)),
        LeftOut("not UTF-8", 5, ("latin0.txt", "latin1.txt", "latin2.txt")),
        LeftOut("larger than 4 MiB", 1, (secret.replace("broken", "huge"),)),
    )
    assert tenant.left_out_sentence == (
        "Files left out: 7, of which 1 not to be read (a\ufffdb.md); 5 not UTF-8 (latin0.txt, latin1.txt, latin2.txt, "
        f"…); 1 larger than 4 MiB ({secret.replace('broken', 'huge')})."
    )
    assert load_folder(folder, max_files=0).left_out_sentence.startswith("Files left out: 11 beyond the first 0 (a")


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="this person may list every folder")
def test_a_folder_that_cannot_be_listed_is_told(folder: Path) -> None:
    (folder / "HR").chmod(0)
    try:
        assert LeftOut("not to be read", 1, ("HR",)) in load_folder(folder).left_out
    finally:
        (folder / "HR").chmod(0o755)


def test_an_unreadable_file_is_counted(folder: Path) -> None:
    (folder / "HR" / "dangling.md").symlink_to(folder / "HR" / "nothing.md")

    assert load_folder(str(folder)).skipped == 3


def test_what_is_not_to_be_read_is_counted_and_the_rest_is_loaded(folder: Path) -> None:
    (folder / "HR" / "circle.md").symlink_to(folder / "HR" / "circle.md")
    (folder / "HR" / "directory.md").mkdir()
    (folder / "HR" / "odd.html").write_text("<![odd section]><p>Odd")
    expected = 3
    if hasattr(os, "mkfifo"):
        os.mkfifo(folder / "HR" / "pipe.md")
        expected += 1

    tenant = load_folder(folder)

    assert tenant.skipped == expected
    assert {each.filename: each.body for each in tenant.documents}["odd.html"] == "Odd"


@pytest.mark.skipif(os.name == "nt" or sys.platform == "darwin", reason="file names are Unicode there")
def test_a_name_that_is_no_utf_8_is_left_out_and_counted(folder: Path) -> None:
    odd = Path(os.fsdecode(os.fsencode(folder) + b"/\xff folder"))
    odd.mkdir()
    (odd / "in it.md").write_text("# In it")
    (folder / os.fsdecode(b"\xff.md")).write_text("# Odd")

    with Simulator(load_folder(folder)) as simulator:
        assert simulator.tenant.skipped == 4
        assert len(simulator.tenant.documents) == 4
    inside = load_folder(odd)
    assert (inside.name, [each.title for each in inside.documents], inside.skipped) == ("\ufffd folder", ["In it"], 0)


@pytest.mark.parametrize(
    ("files", "addresses"),
    [
        (["A#/x.md", "A_/x.md"], ["A__2/Shared Documents/x.md", "A_/Shared Documents/x.md"]),
        (["HR/x.md", "hr/x.md"], ["HR/Shared Documents/x.md", "hr_2/Shared Documents/x.md"]),
        (["s\u0301/x.md", "ś/x.md"], ["s\u0301/Shared Documents/x.md", "ś_2/Shared Documents/x.md"]),
        (["a /x.md", "a/x.md"], ["a_2/Shared Documents/x.md", "a/Shared Documents/x.md"]),
        (["HR/a#b.md", "HR/a_b.md"], ["HR/Shared Documents/a_b_2.md", "HR/Shared Documents/a_b.md"]),
        (["HR/a_b_2.md", "HR/a#b.md", "HR/a_b.md"], [f"HR/Shared Documents/a_b{n}.md" for n in ("_2", "_3", "")]),
        (["HR/v1.#/x.md", "HR/v1._/x.md"], ["HR/Shared Documents/v1.__2/x.md", "HR/Shared Documents/v1._/x.md"]),
        (["HR/x.md", "IT/x.md"], ["HR/Shared Documents/x.md", "IT/Shared Documents/x.md"]),
    ],
)
def test_addresses_stay_apart_even_if_names_clash(tmp_path: Path, files: list[str], addresses: list[str]) -> None:
    for name in files:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name, "utf-8")
    if len(list(tmp_path.rglob("*.md"))) < len(files):
        pytest.skip("these names are one and the same to this file system")

    tenant = load_folder(tmp_path)

    found = {each.body: each.url.removeprefix("https://contoso.sharepoint.com/sites/") for each in tenant.documents}
    assert found == dict(zip(files, addresses, strict=True))
    assert len({each.id for each in tenant.sites}) == len(tenant.sites)


def test_a_folder_named_as_the_root_site_keeps_its_name(tmp_path: Path) -> None:
    (tmp_path / "Documents").mkdir()
    (tmp_path / "Documents" / "a.md").write_text("a")
    (tmp_path / "b.md").write_text("b")

    assert sorted(site.name for site in load_folder(str(tmp_path)).sites) == ["Documents", "Documents root"]


def test_too_many_files_are_counted_and_left_out(folder: Path) -> None:
    tenant = load_folder(folder, max_files=2)

    assert (len(tenant.documents), tenant.skipped) == (2, 4)


def test_an_empty_folder_is_an_empty_tenant(tmp_path: Path) -> None:
    tenant = load_folder(str(tmp_path))

    assert (tenant.documents, [site.name for site in tenant.sites]) == ((), ["Documents"])


def test_a_missing_folder_and_a_file_are_refused(tmp_path: Path) -> None:
    (tmp_path / "file.md").write_text("x")

    with pytest.raises(FileNotFoundError):
        load_folder(str(tmp_path / "none"))
    with pytest.raises(NotADirectoryError):
        load_folder(str(tmp_path / "file.md"))
