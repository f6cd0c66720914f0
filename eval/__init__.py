"""The evaluation: worlds, tasks, metrics and reports. Reaches servers over HTTP only."""
