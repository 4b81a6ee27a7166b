"""Service requests, modules, executions and measurements in one shape, whichever the framework sends."""
