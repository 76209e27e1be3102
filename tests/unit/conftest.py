"""Results shared by the tests of tables, figures and page."""

import pytest

from tests.inventing import ROOT, invent


@pytest.fixture(scope="session")
def paper(tmp_path_factory):
    """plan.json of invented results of all the paper's experiments: 14 sets, 3 seeds."""
    return invent(ROOT / "config" / "paper.yaml", tmp_path_factory.mktemp("paper"))
