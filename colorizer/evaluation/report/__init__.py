"""The report of an evaluation: tables, plots, a page and a contact sheet."""
