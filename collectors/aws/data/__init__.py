"""Facts about AWS that the SDK does not carry, as readable files."""
