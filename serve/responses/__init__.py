"""Responses that are kept for those who asked for them."""
