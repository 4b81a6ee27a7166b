"""The project management system: tasks, progress, hours and resource usage."""
