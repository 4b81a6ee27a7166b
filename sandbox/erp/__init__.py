"""The enterprise resource planning system: customers, invoices, credit notes and stock movements."""
