"""What every provider of a system must do, whatever product is behind it."""
