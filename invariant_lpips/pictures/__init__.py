"""Pictures: decoding files, folders and pairs of them, moves, heat maps, and measuring pairs with a metric."""
