"""What the documentation says is true: its examples run, its links lead somewhere, and nothing is left out."""
