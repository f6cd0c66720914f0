"""The guard's part inside vLLM: answers are turned away from protected spans while they are written."""
