"""The plugin project that `tenantry new` writes: its words, and its files, which lie beside as templates."""
