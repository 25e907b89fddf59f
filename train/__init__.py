"""Everything needed to make and judge a model."""
