"""The store's tables in PostgreSQL, for a site with many spectrometers; needs psycopg (``oesd[postgresql]``)."""
