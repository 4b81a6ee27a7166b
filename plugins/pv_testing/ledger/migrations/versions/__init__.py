"""One module a step from one form of the ledger to the next."""
