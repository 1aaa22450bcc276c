"""Conformance suites that any journal, checkpoint store or executor can run in its own tests."""
