"""Everything that is kept: tables, engine, queries by purpose, audit, migrations.

Functions take ``session`` first and never commit; the caller owns the transaction.
"""
