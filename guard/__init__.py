"""The guard: conversations in, plans out. Imports nothing else of Lethe, speaks no HTTP, starts no engine."""
