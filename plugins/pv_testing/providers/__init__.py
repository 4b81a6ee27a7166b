"""What a product does that a contract cannot say: operations of several steps."""
