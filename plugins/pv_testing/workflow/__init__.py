"""What the steps of all slices share: which service requests are read, what was read before, what waits."""
