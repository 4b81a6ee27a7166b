"""What the steps of all slices share, written once: which requests they take, have begun and have finished."""
