"""Reports: each figure has one definition, made of rows of the history or of the journal of events."""
