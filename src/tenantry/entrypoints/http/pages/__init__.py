"""Pages over HTTP: what domains declare in `pages`, shown and taken; the API beside it needs none of this."""
