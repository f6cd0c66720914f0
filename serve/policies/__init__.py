"""Versions of a policy, of which one is in force, and how the next one is made while servers run."""
