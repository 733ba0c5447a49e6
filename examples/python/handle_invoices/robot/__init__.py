"""Handles the invoices of a queue."""
