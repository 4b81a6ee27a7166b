"""The quality management system: non-conformances, CAPAs, their files and the audit trail."""
