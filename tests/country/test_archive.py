"""What is sent is bounded, and a name from outside is only a name."""

import io
import stat
import zipfile

import pytest

from app.country import archive
from app.country.archive import LARGEST_FILE, MOST_ENTRIES, MOST_FILES, from_files, from_zip
from app.definitions.datafile import BadDefinition
from tests.support.definitions.sets import zipped

pytestmark = pytest.mark.whole

GOOD = b"form: x\n"


def refused(data: bytes) -> list[str]:
    with pytest.raises(BadDefinition) as bad:
        from_zip(data)
    return [str(one) for one in bad.value.all()]


def test_the_definition_files_of_a_folder_are_taken_and_the_rest_is_named() -> None:
    found = from_zip(
        zipped(
            {
                "country/form.yaml": "form: x\r\n",
                "country/read me.txt": "x",
                "country/.git/config.yaml": "x",
                "__MACOSX/country/._form.yaml": b"\x00\x01",
                "country/old/form.yaml": "form: y",
                "country/обр.yaml": "\ufeffform: z",
            }
        )
    )
    assert found.folder.files == (("form.yaml", "form: x\n"), ("обр.yaml", "form: z"))
    assert set(found.left_out) == {
        "read me.txt",
        "old/form.yaml",
        "country/.git/config.yaml",
        "__MACOSX/country/._form.yaml",
    }


@pytest.mark.parametrize(
    "path",
    [
        "../form.yaml",
        "country/../../form.yaml",
        "/etc/form.yaml",
        "C:\\form.yaml",
        "country//form.yaml",
        "..\\form.yaml",
    ],
)
def test_a_path_that_leads_out_of_the_folder_is_refused(path: str) -> None:
    with pytest.raises(BadDefinition, match="is not a name of a file in the folder"):
        from_files([(path, GOOD)])
    assert "is not a name of a file in the folder" in refused(zipped({path: GOOD}))[0]


@pytest.mark.parametrize("name", ["<b>x</b>.yaml", "a\nb.yaml", "$(x).yaml", "a" * 200 + ".yaml"])
def test_a_name_that_is_none_for_a_file_is_refused_and_cut(name: str) -> None:
    with pytest.raises(BadDefinition, match="is not a name for a definition") as bad:
        from_files([(name, GOOD)])
    assert "\n" not in str(bad.value)
    assert len(bad.value.source) <= 100


def test_a_zip_bomb_is_not_unpacked() -> None:
    bomb = zipped({"form.yaml": b"a" * (20 * LARGEST_FILE)})
    assert len(bomb) < LARGEST_FILE
    assert refused(bomb) == ["form.yaml:1: is larger than 1 MB"]
    many = zipped({f"form-{n}.yaml": b"# \n" * (LARGEST_FILE // 4) for n in range(8)})
    assert refused(many)[-1] == "archive:1: the files together are larger than 4 MB"


def test_an_archive_that_lies_about_its_sizes_is_refused() -> None:
    data = bytearray(zipped({"form.yaml": b"form: x\n" * 1000}))
    # The size when unpacked, in the list at the end of the archive.
    place = data.index(b"PK\x01\x02") + 24
    data[place : place + 4] = (8).to_bytes(4, "little")
    assert "form.yaml:1: " in refused(bytes(data))[0]


def test_too_many_files_are_refused() -> None:
    names = [f"form-{n}.yaml" for n in range(10_000)]
    assert refused(zipped(dict.fromkeys(names, GOOD))) == [
        f"archive:1: holds more than {MOST_ENTRIES} files"
    ]
    with pytest.raises(BadDefinition, match=f"more than {MOST_ENTRIES} files"):
        from_files((name, GOOD) for name in names)
    with pytest.raises(BadDefinition, match=f"more than {MOST_FILES} definition files"):
        from_files((name, GOOD) for name in names[: MOST_FILES + 1])


def test_links_and_encrypted_entries_are_refused() -> None:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as one:
        link = zipfile.ZipInfo("form.yaml")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        one.writestr(link, "/etc/passwd")
    assert "is a link" in refused(made.getvalue())[0]
    data = bytearray(zipped({"form.yaml": GOOD}))
    data[data.index(b"PK\x01\x02") + 8] |= 1
    assert "is encrypted" in refused(bytes(data))[0]


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"form: x\n\xff\xfe", "form.yaml:2: is not UTF-8 text"),
        (b"form: x\nb: \x00", "form.yaml:2: is not text"),
        (b"a: " + b"[" * 100_000, "nesting depth"),
        (b"- " * 100_000, "nested too deeply"),
        (b"a: [1\n", "form.yaml:2:"),
    ],
    ids=["latin", "binary", "flow", "block", "broken"],
)
def test_what_is_no_text_or_nests_without_end_is_refused(data: bytes, words: str) -> None:
    with pytest.raises(BadDefinition) as bad:
        from_files([("form.yaml", data)])
    assert words in str(bad.value)


def test_what_is_no_archive_is_refused() -> None:
    for data in (b"", b"PK\x03\x04", b"form: x", zipped({"form.yaml": GOOD})[:-10]):
        assert refused(data) == ["archive:1: is not a .zip archive that can be read"]
    assert "holds no definition file" in refused(zipped({"x.txt": b"x"}))[0]


def test_two_files_of_one_name_are_refused() -> None:
    with pytest.raises(BadDefinition, match="appears twice"):
        from_files([("form.yaml", GOOD), ("Form.yaml", GOOD)])


def test_what_was_imported_comes_back_as_it_was() -> None:
    found = from_files([("a/form.yaml", GOOD), ("a/tree.yaml", b"tree: y\n")]).folder
    assert from_zip(archive.to_zip(found)).folder == found
