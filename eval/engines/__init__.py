"""Clients that put questions to a model and bring its answers back."""
