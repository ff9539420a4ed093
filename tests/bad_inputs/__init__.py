"""Bad command lines by command and by kind; tests/cli/test_bad_inputs.py runs them all."""
