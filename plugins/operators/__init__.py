"""One step of a workflow each: choose records, run an exchange, say what became of them."""
