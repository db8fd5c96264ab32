"""The rows of tests/test_errors.py, by what somebody was about to do."""
