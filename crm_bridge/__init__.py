"""One file per CRM: opens tickets and hears what becomes of them."""
