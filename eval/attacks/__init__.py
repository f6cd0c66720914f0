"""Attacks: named ways to ask for what should be gone, each with its source."""
