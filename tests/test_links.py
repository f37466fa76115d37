"""Links lead to files that exist, and no file names a machine's own paths or a package index's host."""

import re
import subprocess

from cases import cases
from tools import notebooks
from tools.site.markdown import PageRenderer, render

ROOT = notebooks.ROOT
LINK = re.compile(r"\]\(<?([^)\s>]+)>?(?:\s+\"[^\"]*\")?\)|(?:src|href)=\"([^\"]+)\"")
MACHINE = re.compile(r"(?<![\w.])/(?:work|root|(?:home|Users|opt|tmp|mnt)/\w+)/|\b[A-Z]:\\Users\\")
INDEX = re.compile(r"//[\w.-]*(?:pypi|pythonhosted|npmjs|debian|anaconda)\.|\bfiles\.python\w+\.org", re.I)
CACHES = {".git", ".venv", "__pycache__", ".ipynb_checkpoints", ".pytest_cache", ".ruff_cache", ".hypothesis"}


def files():
    """Return the files of the project: those that git would ship, or where there is no git all but caches."""
    try:
        command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
        shown = subprocess.run(command, cwd=ROOT, capture_output=True, encoding="utf-8", check=True)
        found = [ROOT / name for name in shown.stdout.split("\0") if name]
    except (OSError, subprocess.CalledProcessError):
        found = [path for path in ROOT.rglob("*") if not CACHES & set(path.relative_to(ROOT).parts)]
    return sorted(path for path in found if path.is_file())


def text_of(path):
    """Return the text of a file, or None where it is not one."""
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return None


def prose_of(path):
    """Return the markdown of a page or a notebook, code left out."""
    if path.suffix == ".ipynb":
        pages = [cell.source for cell in notebooks.markdown_cells(notebooks.load(path))]
    else:
        pages = [path.read_text(encoding="utf-8")]
    return re.sub(r"`[^`\n]*`", "", "\n\n".join(notebooks.without_fences(page) for page in pages))


def broken_links(text, folder):
    """Return the relative links that lead nowhere from a folder."""
    targets = [first or second for first, second in LINK.findall(text)]
    paths = [target.partition("#")[0] for target in targets if not re.match(r"[a-z]+:|#|attachment:", target)]
    return [path for path in paths if not (folder / path).exists()]


PAGES = [path for path in files() if path.suffix in (".md", ".ipynb")]


def test_links_lead_somewhere():
    found = {path.relative_to(ROOT).as_posix(): broken_links(prose_of(path), path.parent) for path in PAGES}
    assert {page: links for page, links in found.items() if links} == {}


def test_a_plan_of_a_lecture_opens_at_sections_that_are_there():
    plans = text_of(ROOT / "TEACHING.md").partition("## A term")[0]
    links = re.findall(r"\]\(notebooks/(\w+)\.ipynb#([^)]+)\)", plans)
    assert len(links) >= 20
    ids = {stem: section_ids(notebooks.load(notebooks.NOTEBOOKS / f"{stem}.ipynb")) for stem, _ in links}
    assert [link for link in links if link[1] not in ids[link[0]]] == []
    rows = [row for row in plans.splitlines() if re.match(r"\| \d+[-:]", row)]
    assert [row for row in rows if "ipynb#" not in row and "quiz" not in row.lower()] == []


def section_ids(notebook):
    renderer = PageRenderer(lambda url: url)
    for cell in notebooks.markdown_cells(notebook):
        render(cell.source, renderer)
    return {heading.name for heading in renderer.headings}


def other_names(text, titles):
    """Return the links to notebooks that call them neither by their title nor by their number alone."""
    found = re.findall(r"(?<!!)\[([^\]]+)\]\((?:[\w/.]*/)?(\d\d_\w+\.ipynb)\)", text)
    return [name for name, target in found if titles.get(target, name) not in name
            and not re.fullmatch(r"(?:[Nn]otebook )?\d\d", name)]


def test_a_notebook_has_one_name_everywhere():
    openings = {path.name: notebooks.load(path).cells[0].source for path in notebooks.paths()}
    titles = {name: re.match(r"# (.+)", text)[1] for name, text in openings.items()}
    found = {path.relative_to(ROOT).as_posix(): other_names(prose_of(path), titles) for path in PAGES}
    assert {page: names for page, names in found.items() if names} == {}


def test_other_names_are_seen():
    text = ("[Fill the seats](06_a.ipynb), [06 Fill the seats](notebooks/06_a.ipynb), "
            "[notebook 06](06_a.ipynb), [06](06_a.ipynb), "
            "[Capacity](06_a.ipynb), ![Capacity](06_a.png), [Gone](07_b.ipynb)")
    assert other_names(text, {"06_a.ipynb": "Fill the seats"}) == ["Capacity"]


def test_no_machine_and_no_index_is_named():
    texts = {path.relative_to(ROOT).as_posix(): text_of(path) for path in files()}
    found = {name: match[0] for name, text in texts.items() if text
             for match in [MACHINE.search(text) or INDEX.search(text)] if match}
    assert found == {}


def test_the_files_of_the_project_are_found():
    names = {path.relative_to(ROOT).as_posix() for path in files()}
    assert {"README.md", "start.py", "tests/test_links.py", "utils/moeviz/record.py"} <= names
    assert not any(name.startswith((".git/", ".venv/")) for name in names)


def test_broken_links_are_seen(tmp_path):
    (tmp_path / "here.md").touch()
    text = ("[a](here.md) [b](here.md#part) [c](https://example.org) [d](#part) [e](gone.md) "
            "![f](<gone.png>) [g](here.md \"title\") <img src=\"lost.png\">")
    assert broken_links(text, tmp_path) == ["gone.md", "gone.png", "lost.png"]


@cases("parts", [("/wo", "rk/main/x"), (" /ro", "ot/x"), ("see /home", "/ann/x"),
                                   ("/tm", "p/venv/bin"), ("/opt", "/wheels/x"), ("C:\\Us", "ers\\ann")])
def test_machine_paths_are_seen(parts):
    assert MACHINE.search("".join(parts))


@cases("parts", [("https:/", "/py", "pi.org/simple"), ("http:/", "/deb.deb", "ian.org/x"),
                                   ("files.python", "hosted.org")])
def test_index_hosts_are_seen(parts):
    assert INDEX.search("".join(parts))


@cases("text", ["https://example.org/work/x", "/usr/bin/chromium", "utils/moeviz",
                                  "../work/x", "pip install -r requirements.txt", "Path('a') / 'root'"])
def test_other_paths_are_let_through(text):
    assert not MACHINE.search(text)
    assert not INDEX.search(text)


def test_binary_files_are_no_text(tmp_path):
    path = tmp_path / "x.npz"
    path.write_bytes(b"PK\x03\x04\xff\xfe")
    assert text_of(path) is None
