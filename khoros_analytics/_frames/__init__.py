"""Files to tables: Arrow, pandas, Polars, Parquet and Excel, each column of one type that keeps every value.

It may import ``_rows``, ``_storage`` and the ground floor. The libraries are extras, imported inside functions.
"""
