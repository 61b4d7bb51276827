"""Which file a profile gets, and where it may not lie."""

from pathlib import Path

import pytest

from copilot_mcp.auth import TokenCache, cache_file_name, checked_profile
from copilot_mcp.auth.cache_place import data_directory, network_file_system
from copilot_mcp.errors import AuthenticationError, SettingsError

MOUNTS = """\
22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
30 22 0:40 / /home rw shared:2 - nfs4 server:/home rw
31 30 8:2 / /home/local rw - ext4 /dev/sdb1 rw
32 22 0:41 / /mnt/with\\040space rw - fuse.sshfs me@server:/ rw
33 22 0:42 / /over rw - cifs //server/share rw
34 22 0:43 / /over rw - tmpfs tmpfs rw
not a mount
35 22 0:44 / /broken
"""


def test_file_name_is_derived_from_profile_cloud_tenant_and_client() -> None:
    name = cache_file_name("default", "global", "Contoso.example", "APP")
    assert name == cache_file_name("default", "global", "contoso.example", "app")
    assert (len(name), name[16:]) == (21, ".json")
    others = {
        cache_file_name("work", "global", "contoso.example", "app"),
        cache_file_name("default", "china", "contoso.example", "app"),
        cache_file_name("default", "global", "fabrikam.example", "app"),
        cache_file_name("default", "global", "contoso.example", "app2"),
        name,
    }
    assert len(others) == 5


@pytest.mark.shows("F42", "F66", "L6")
@pytest.mark.parametrize(
    "profile",
    [
        "",
        "Work",
        "a/b",
        "..",
        "../x",
        "..\\x",
        "/etc/passwd",
        "c:\\x",
        "a\0b",
        "a" * 33,
        "a" * 300,
        "-a",
        "%2e%2e%2fx",
        "con",
        "CON",
        "nul",
        "com1",
        "lpt1",
        "a\n",
        "ä",
        "wοrk",  # noqa: RUF001 - a Greek omicron is the point
        "ａ",  # noqa: RUF001 - a letter of double width is the point
    ],
)
def test_unusable_profile_name_is_refused_and_nothing_is_made(profile: str, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"profile name .* not usable") as caught:
        TokenCache.of(profile, "global", "organizations", "app", directory=tmp_path / "state")
    assert caught.value.hint.startswith("Use 1 to 32 lower-case letters")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("profile", ["default", "a", "0", "work-2", "con-1", "a_b", "a" * 32])
def test_usable_profile_name_is_given_back(profile: str) -> None:
    assert checked_profile(profile) == profile


def test_file_lies_in_the_users_data_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    name = cache_file_name("default", "global", "organizations", "app")
    assert TokenCache.of("default", "global", "organizations", "app", directory=tmp_path).path == tmp_path / name
    usual = TokenCache.of("default", "global", "organizations", "app").path
    assert (usual.name, "copilot-mcp" in usual.parts) == (name, True)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_DATA_HOME", "here")
    assert data_directory().is_absolute()
    assert not data_directory().is_relative_to(tmp_path)


@pytest.mark.parametrize(
    ("directory", "kind"),
    [
        ("/home/me/.local/share", "nfs4"),
        ("/home/local/me", ""),
        ("/homework", ""),
        ("/mnt/with space/me", "fuse.sshfs"),
        ("/over/x", ""),
        ("/root", ""),
    ],
)
def test_network_file_system_is_told_by_the_innermost_mount(tmp_path: Path, directory: str, kind: str) -> None:
    mounts = tmp_path / "mountinfo"
    mounts.write_text(MOUNTS)
    assert network_file_system(Path(directory), mounts) == kind


def test_system_without_a_table_of_mounts_tells_nothing(tmp_path: Path) -> None:
    assert network_file_system(tmp_path, tmp_path / "none") == ""


def test_network_file_system_is_refused_with_the_remedy(tmp_path: Path) -> None:
    mounts = tmp_path / "mountinfo"
    mounts.write_text(f"30 22 0:40 / {tmp_path} rw - nfs4 server:/home rw\n")
    cache = TokenCache(tmp_path / "state" / "file.json", mounts=mounts)
    for use in (lambda: cache.update(lambda content: content), cache.prospect, cache.refreshing().__enter__):
        with pytest.raises(AuthenticationError) as caught:
            use()
        assert caught.value.kind == "cache_unsafe"
    assert str(caught.value) == (
        f"{tmp_path}/state is on a network file system (nfs4), whose locks cannot be trusted, so the saved sign-in in "
        "it is not used. Set XDG_DATA_HOME to a folder on a local disk, or use `--cache memory`."
    )
