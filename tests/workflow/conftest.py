from pathlib import Path

import pytest

from tests.workflow.project import Project, make_project


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project whose workflow has run to its end; tests work on copies of it."""
    project = make_project(tmp_path_factory.mktemp("workflow") / "finished")
    project.run("--cores", "2")
    return project


@pytest.fixture
def project(finished: Project, tmp_path: Path) -> Project:
    """A copy of the finished one."""
    return finished.copy(tmp_path / "project")
