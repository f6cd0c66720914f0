"""The endpoint: the ASGI guard, its dialects, the engine behind it and the `lethe` command."""
