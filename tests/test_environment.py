"""The environment check names what is missing or too old, and what to do about it."""

from moeviz import environment


def bad(**options):
    return [(found.what, found.remedy) for found in environment.findings(**options) if not found.fine]


def test_this_environment_is_fine(capsys):
    assert environment.report()
    assert "MEND" not in capsys.readouterr().out


def test_a_missing_package_is_named_with_the_command_that_installs_it():
    versions = {**dict.fromkeys(environment.FLOORS, "100.0"), "matplotlib": None}
    (what, remedy), = bad(installed=versions.get)
    assert what.startswith("matplotlib is not installed") and "python start.py" in remedy


def test_versions_compare_as_numbers_not_as_text():
    fine = dict.fromkeys(environment.FLOORS, "100.0")
    assert not bad(installed={**fine, "matplotlib": "3.10.0rc1"}.get)
    assert bad(installed={**fine, "numpy": "1.9.3"}.get)[0][0] == "numpy 1.9.3"


def test_a_lost_model_file_is_said(tmp_path, capsys):
    assert "moeviz.tinylm" in bad(data=tmp_path / "none.npz")[0][1]
