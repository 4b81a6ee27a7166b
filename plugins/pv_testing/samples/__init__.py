"""Service requests as samples, their statuses, and executions as result sets."""
