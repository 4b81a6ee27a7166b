"""The laboratory's records as files: CSV, Excel workbooks and XML."""
