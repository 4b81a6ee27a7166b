"""The audit trails of the ledger and of the framework, in the QMS."""
