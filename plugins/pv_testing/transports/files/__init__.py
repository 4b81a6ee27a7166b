"""Files as a way to speak with a system: stores, formats, writers, readers and the drop that waits for an answer."""
