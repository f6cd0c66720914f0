"""The small chat models that Lethe ships: how they are made, and the proof of what they can do."""
