"""Everything needed to use a model on articles; never imports train."""
