"""What every test gets: checked signatures, fixed seeds, small sizes, and a folder of its own to write in."""

import os
import random
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
CACHE = ROOT / ".cache" / "tests"  # git ignores it; kept between runs, so that the embedded data are built once

# The environment is set before anything is imported, and inherited by the processes that tests start.
os.environ.setdefault("COURSE_PROFILE", "ci")
os.environ.pop("COURSE_DATA", None)  # the tests are written for the embedded data set
os.environ["MPLBACKEND"] = "Agg"
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ["OMP_NUM_THREADS"] = "1"  # the processes of `make test` share the cores; what they start does, too
for name, folder in {
    "XDG_CACHE_HOME": CACHE,
    "MPLCONFIGDIR": CACHE / "matplotlib",
    "IPYTHONDIR": CACHE / "ipython",
    "JUPYTER_CONFIG_DIR": CACHE / "jupyter",
    "JUPYTER_RUNTIME_DIR": CACHE / "jupyter" / "runtime",
}.items():
    folder.mkdir(parents=True, exist_ok=True)
    os.environ[name] = str(folder)

from jaxtyping import install_import_hook  # noqa: E402

# Every signature of course_lib is checked at each call: shapes by jaxtyping, the rest by beartype.
assert "course_lib" not in sys.modules, "course_lib was imported too early: its signatures would not be checked"
install_import_hook("course_lib", "signatures.checked")

import numpy as np  # noqa: E402
import pytest  # noqa: E402
import torch  # noqa: E402

torch.set_num_threads(1)  # the sizes are small: a second thread costs more than it gives


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what needs a GPU where there is none."""
    if not torch.cuda.is_available():
        for item in items:
            if "gpu" in item.keywords:
                item.add_marker(pytest.mark.skip(reason="needs a CUDA device"))


@pytest.fixture(autouse=True)
def seeds() -> None:
    """Every test starts from the same random numbers, whichever tests ran before."""
    random.seed(0)
    np.random.seed(0)
    torch.manual_seed(0)


@pytest.fixture(scope="session")
def cache() -> Path:
    """The folder that stands for the user's cache: data sets built here are found again by the next run."""
    return CACHE
