"""The ground floor: records, outcomes, errors, redaction, time and files; imports nothing of the layers above."""
