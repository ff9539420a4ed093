"""What the server imports from which the processes of trials are forked; see `trial_process`."""

from dlcli.engine.observers import reporting  # noqa: F401
from dlcli.engine.runs import training  # noqa: F401
