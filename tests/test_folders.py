"""Folders that commands fill: swapped in whole, and nobody else's are ever touched."""

import pytest

from tools import folders


@pytest.fixture
def project(tmp_path, monkeypatch):
    """Let a folder in the test's own place be the project."""
    project = tmp_path / "home" / "project"
    (project / "docs").mkdir(parents=True)
    (project / "docs" / "mine.md").write_text("mine")
    monkeypatch.setattr(folders, "ROOT", project)
    return project


def fill(folder, text="new"):
    """Replace a folder by one with a single page."""
    with folders.replaced(folder) as new:
        (new / "index.html").write_text(text)


def test_absent_empty_and_own_folders_are_replaced(project):
    site = project / "site"
    fill(site, "one")
    (site / "old.html").touch()
    fill(site, "two")
    assert sorted(path.name for path in site.iterdir()) == [folders.MARK, "index.html"]
    assert (site / "index.html").read_text() == "two"
    (project / "empty").mkdir()
    fill(project / "empty")
    assert sorted(path.name for path in project.iterdir()) == ["docs", "empty", "site"]


def test_every_other_folder_is_refused_and_kept(project, monkeypatch):
    (project.parent / "link").symlink_to(project)
    for folder in (project / "docs", project, project.parent, project.parent.parent, project.parent / "link",
                   project / "docs" / ".." / "docs", project / "docs" / "mine.md"):
        with pytest.raises(ValueError, match=r"^folder must "):
            fill(folder)
    (project / folders.MARK).touch()  # no mark makes the project a folder to replace
    monkeypatch.chdir(project)
    for name in (".", "..", "docs"):
        with pytest.raises(ValueError, match=r"^folder must "):
            fill(name)
    assert (project / "docs" / "mine.md").read_text() == "mine"


def test_what_fails_halfway_leaves_the_older_folder(project):
    fill(project / "site", "old")

    def fail():
        with folders.replaced(project / "site") as new:
            (new / "index.html").write_text("half")
            raise KeyboardInterrupt

    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            fail()
        assert (project / "site" / "index.html").read_text() == "old"
    fill(project / "site")
    assert sorted(path.name for path in project.iterdir()) == ["docs", "site"]


def test_an_interrupted_swap_is_undone(project):
    fill(project / "site", "old")
    (project / "site").rename(project / ".site.old")
    with pytest.raises(ZeroDivisionError), folders.replaced(project / "site"):
        _ = 1 / 0
    assert (project / "site" / "index.html").read_text() == "old"


def test_what_only_bears_the_name_of_a_leftover_is_kept(project):
    (project / ".site.old").mkdir()
    (project / ".site.old" / "mine.md").touch()
    with pytest.raises(ValueError, match="holds other things"):
        fill(project / "site")
    assert (project / ".site.old" / "mine.md").exists()


def test_the_site_looks_before_it_runs_the_notebooks(project, capsys, monkeypatch):
    from tools.site import __main__ as command
    from tools.site import build

    monkeypatch.setattr(build, "run_all", lambda paths: pytest.fail("the notebooks ran first"))
    for target in (project, project / "docs"):
        with pytest.raises(SystemExit):
            command.main(["--into", str(target)], {})
        assert "error: folder must" in capsys.readouterr().err
        with pytest.raises(ValueError, match="folder must"):
            build.build(target)
