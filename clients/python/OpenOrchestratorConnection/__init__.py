"""What the first robots import, those written before there was a package OpenOrchestrator for them."""
