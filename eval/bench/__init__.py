"""Measurements that are run by hand; each module prints a table and says in its docstring how to run it."""
