"""Steps of the schema: one file a change, up and down."""
