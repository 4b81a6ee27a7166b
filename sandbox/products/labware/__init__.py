"""A LabWare of our own: one database with the vendor's tables, offered by REST, SOAP, an import folder and SQL.

LabWare publishes no contract. Tables, letters and the parts of a connection are second-hand reports; paths, services
and columns are those of the sample profiles in include/mappings/lims_labware*.yaml. It takes a record twice, so that a
test sees the second copy.
"""
