"""Turns an answer away, token by token, from what is protected."""
